// The interfaces of the two stand-ins.
#pragma once

// Returns the number of operators after a round trip of a profile, or -1.
int tflite_profile(void);
// The protobuf-c that libtflite was compiled against.
const char *tflite_protobuf(void);

// Reads a model of version 3 and returns the number of weights in use, or -1.
int vision_import(void);
// The protobuf-c that libvision was compiled against.
const char *vision_protobuf(void);
