// libtflite stands for TensorFlow Lite: a library that brings a protobuf of its own.
#include "demo.h"
#include "profile.pb-c.h"

const char *tflite_protobuf(void) { return PROTOBUF_C_VERSION; }

int tflite_profile(void) {
  Tflite__Op conv = TFLITE__OP__INIT, relu = TFLITE__OP__INIT;
  Tflite__Op *ops[] = {&conv, &relu};
  Tflite__Profile profile = TFLITE__PROFILE__INIT, *back;
  uint8_t wire[128];
  int n;

  conv.name = "CONV_2D", conv.micros = 120;
  relu.name = "RELU", relu.micros = 7;
  profile.model = "face", profile.n_ops = 2, profile.ops = ops;
  if (tflite__profile__get_packed_size(&profile) > sizeof wire) return -1;
  back = tflite__profile__unpack(NULL, tflite__profile__pack(&profile, wire), wire);
  if (!back) return -1;
  n = back->n_ops;
  tflite__profile__free_unpacked(back, NULL);
  return n;
}
