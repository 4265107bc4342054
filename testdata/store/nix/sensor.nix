# The sensor, in every variant of the story.  Attributes:
#   plain        OpenCV only
#   fixed        OpenCV and TFLite on the same protobuf store path: works
#   samesoname   TFLite brings another libprotobuf.so.32: OpenCV binds to it and
#                "Failed to parse ONNX model" (the story)
#   diffsoname   TFLite brings libprotobuf.so.23 (bullseye, 3.12.4) next to OpenCV's
#                libprotobuf.so.32: symbols are interposed, crash at start-up
{ debs }:
let
  l = import ./lib.nix { arch = "arm64"; };
  inherit (l) mkSh;
  d = /. + debs;
  deb = import (d + "/sensor/pkgs.nix") { inherit (l) mkDeb; };
  glibc = deb.libc6;
  T = "aarch64-unknown-linux-gnu";
  src = ../src/sensor;

  # Nix's cross ld-wrapper in one line: RUNPATH entries and the store's loader.
  rp = ps: builtins.concatStringsSep " " (map (p: "-L${p}/lib -Wl,-rpath,${p}/lib") ps);
  cxx = "aarch64-linux-gnu-g++ -w -O2 -Wl,--enable-new-dtags -Wl,--dynamic-linker=${glibc}/lib/ld-linux-aarch64.so.1";
  common = [ deb."libstdc++6" deb.libgcc-s1 glibc ];
  allLibs = builtins.attrValues deb;
  rpathLink = "-Wl,-rpath-link,${builtins.concatStringsSep ":" (map (p: "${p}/lib") allLibs)}";

  # Build-time helpers: protoc and the development files of each protobuf.
  dev = name: debs: mkSh name { inherit debs; } ''
    mkdir -p $out; for d in $debs; do dpkg-deb -x $d $out; done
  '';
  pb32dev = dev "protobuf-3.21.12-dev" [ (d + "/pb32dev/libprotobuf-dev.deb") ];
  pb23dev = dev "protobuf-3.12.4-dev" [ (d + "/pb23/libprotobuf-dev.deb") ];
  protoc32 = dev "protoc-3.21.12" [ (d + "/pb32-protoc/protobuf-compiler.deb") (d + "/pb32-protoc/libprotoc32.deb") (d + "/pb32-protoc/libprotobuf32.deb") ];
  protoc23 = dev "protoc-3.12.4" [ (d + "/pb23-protoc/protobuf-compiler.deb") (d + "/pb23-protoc/libprotoc23.deb") (d + "/pb23-protoc/libprotobuf23.deb") ];
  cvdev = dev "opencv-4.6.0-dev" [ (d + "/cvdev/libopencv-core-dev.deb") (d + "/cvdev/libopencv-dnn-dev.deb") (d + "/cvdev/libopencv-imgproc-dev.deb") ];
  runProtoc = p: "LD_LIBRARY_PATH=${p}/usr/lib/x86_64-linux-gnu ${p}/usr/bin/protoc";

  # OpenCV's protobuf: 3.21.12 from bookworm.
  protobuf32 = deb.libprotobuf32;

  # The protobuf that "TFLite wanted": the same 3.21.12 source with two adjacent
  # members of EpsCopyInputStream swapped, as happens between upstream releases.
  # Same soname, same symbols, another layout: OpenCV's inlined parser code then
  # reads the wrong end pointer.
  protobufTflite = mkSh "protobuf-${T}-3.21.9" { source = d + "/protobuf-source/protobuf_3.21.12.orig.tar.gz"; outputs = [ "out" "dev" ]; } ''
    tar xf $source --strip-components=1
    sed -i '/^  const char\* limit_end_;/{h;d};/^  const char\* buffer_end_;/{G}' src/google/protobuf/parse_context.h
    files=$(sed -n '/set(libprotobuf_lite_files/,/)/p;/set(libprotobuf_files/,/)/p' cmake/libprotobuf-lite.cmake cmake/libprotobuf.cmake | grep -o 'src/.*\.cc' | grep -v -e /util/ -e /compiler/)
    mkdir o
    printf '%s\n' $files | xargs -P"$(nproc)" -I{} sh -c 'aarch64-linux-gnu-g++ -w -O1 -fPIC -std=c++17 -DHAVE_PTHREAD=1 -DNDEBUG -Isrc -c {} -o o/$(echo {} | tr / _).o'
    mkdir -p $out/lib $dev/include
    ${cxx} -shared -Wl,-soname,libprotobuf.so.32 -o $out/lib/libprotobuf.so.32.0.9 o/*.o \
      -Wl,--version-script=src/libprotobuf.map ${rp common} -Wl,-z,now
    ln -s libprotobuf.so.32.0.9 $out/lib/libprotobuf.so.32
    ln -s libprotobuf.so.32 $out/lib/libprotobuf.so
    (cd src && find google \( -name '*.h' -o -name '*.inc' -o -name '*.proto' \) -exec cp --parents -t $dev/include {} +)
  '';

  # bullseye's protobuf 3.12.4.
  protobuf23 = l.mkDeb { name = "libprotobuf23-${T}-3.12.4"; deb = d + "/pb23/libprotobuf23.deb"; bins = "";
                         inherit glibc; deps = common ++ [ deb.zlib1g ]; };
  tflite = { pb, soname, headers, protoc }: mkSh "tensorflow-lite-${T}-2.14.0" { } ''
    mkdir -p $out/lib gen
    ${runProtoc protoc} -I${src} --cpp_out=gen ${src}/profile.proto
    pbdir=${pb}/lib
    ${cxx} -shared -fPIC -Wl,-soname,libtensorflowlite.so.2 -o $out/lib/libtensorflowlite.so.2 \
      ${src}/tflite.cc gen/profile.pb.cc -I${src} -Igen -I${headers} $pbdir/${soname} \
      -Wl,-rpath,$pbdir ${rp common} ${rpathLink}
    ln -s libtensorflowlite.so.2 $out/lib/libtensorflowlite.so
  '';
  tfliteFixed = tflite { pb = protobuf32; soname = "libprotobuf.so.32"; headers = "${pb32dev}/usr/include"; protoc = protoc32; };
  tfliteSame  = tflite { pb = protobufTflite; soname = "libprotobuf.so.32"; headers = "${protobufTflite.dev}/include"; protoc = protoc32; };
  tfliteDiff  = tflite { pb = protobuf23; soname = "libprotobuf.so.23"; headers = "${pb23dev}/usr/include"; protoc = protoc23; };

  # A one-layer ONNX model, in its own store path (a data reference of the program).
  model = mkSh "face-model-1.0" { } ''
    mkdir -p $out/share/models
    ${runProtoc protoc32} -I${src} --encode=mini.ModelProto onnx-mini.proto < ${src}/face.onnx.txt > $out/share/models/face.onnx
  '';

  cv = [ deb.libopencv-dnn406 deb.libopencv-core406 ];
  sensor = { tf ? null, extra ? "" , extraRp ? [ ] }: mkSh "sensor-${T}-0.4.2" { } ''
    mkdir -p $out/bin
    ${cxx} ${if tf == null then "" else "-DWITH_TFLITE"} -DMODEL='"${model}/share/models/face.onnx"' \
      -o $out/bin/sensor ${src}/sensor.cc -I${src} \
      -I${cvdev}/usr/include/opencv4 -I${cvdev}/usr/include/aarch64-linux-gnu/opencv4 \
      ${if tf == null then "" else "${rp [ tf ]} -ltensorflowlite"} ${extra} \
      ${rp cv} -l:libopencv_dnn.so.406 -l:libopencv_core.so.406 ${rp common} ${rpathLink}
  '';

in rec {
  plain = sensor { };
  fixed = sensor { tf = tfliteFixed; };
  samesoname = sensor { tf = tfliteSame; };
  diffsoname = sensor { tf = tfliteDiff; };
  # Two programs, two libprotobuf.so.32, no conflict in the store: sensor uses only
  # OpenCV's, tfprof only TFLite's.  Copying both into one lib folder breaks one.
  twoprogs = mkSh "sensor-tools-${T}-0.4.2" { } ''
    mkdir -p $out/bin
    cp ${plain}/bin/sensor $out/bin/sensor
    aarch64-linux-gnu-gcc -O2 -o $out/bin/tfprof ${src}/tfprof.c -I${src} -Wl,--enable-new-dtags \
      -Wl,--dynamic-linker=${glibc}/lib/ld-linux-aarch64.so.1 ${rp [ tfliteSame ]} -ltensorflowlite ${rp common} ${rpathLink} -Wl,--allow-shlib-undefined
  '';
}
