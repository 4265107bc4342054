// The sensor of the demo: both libraries, and with them both their protobufs.
#include <stdio.h>
#include "demo.h"

int main(void) {
  int used;
  printf("sensor: tflite, built for protobuf-c %s: %d operators profiled\n", tflite_protobuf(), tflite_profile());
  used = vision_import();
  if (used < 0) {
    printf("sensor: vision, built for protobuf-c %s: cannot parse model\n", vision_protobuf());
    return 1;
  }
  printf("sensor: vision, built for protobuf-c %s: %d weights in use\nsensor: OK\n", vision_protobuf(), used);
  return 0;
}
