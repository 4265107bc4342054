// libvision stands for OpenCV.  It relies on a repair in protobuf-c 1.4.0 ("Fix packed
// repeated bool parsing", #467): 1.3.3 refuses a boolean whose varint is above 1.
#include "demo.h"
#include "model.pb-c.h"

const char *vision_protobuf(void) { return PROTOBUF_C_VERSION; }

int vision_import(void) {
  int32_t counts[] = {1, 0, 2, 300};
  Vision__ModelV3 old = VISION__MODEL_V3__INIT;
  Vision__ModelV4 *model;
  uint8_t wire[64];
  int used = 0;

  old.name = "face", old.n_mask = 4, old.mask = counts;
  if (vision__model_v3__get_packed_size(&old) > sizeof wire) return -1;
  model = vision__model_v4__unpack(NULL, vision__model_v3__pack(&old, wire), wire);
  if (!model) return -1;
  for (size_t i = 0; i < model->n_mask; i++) used += model->mask[i];
  vision__model_v4__free_unpacked(model, NULL);
  return used;
}
