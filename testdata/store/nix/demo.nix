# The demo: a sensor whose two libraries bring one protobuf-c each, and the repaired one.
# Small enough to be kept in git (testdata/demo): C only, and of glibc only what it needs.
{ debs }:
let
  l = import ./lib.nix { arch = "arm64"; };
  inherit (l) mkSh mkDeb;
  d = /. + debs;
  T = "aarch64-unknown-linux-gnu";
  src = ../src/demo;

  glibc = mkSh "glibc-${T}-2.36" { } ''
    dpkg-deb -x ${d + "/demo-bookworm/libc6.deb"} .
    mkdir -p $out/lib
    cp -L lib/aarch64-linux-gnu/{ld-linux-aarch64.so.1,libc.so.6} $out/lib/
  '';

  # Debian's protobuf-c: the library, the headers and the compiler that belong together.
  protobufc = version: suite: rec {
    lib = mkDeb { name = "protobuf-c-${T}-${version}"; deb = d + "/${suite}/libprotobuf-c1.deb"; deps = [ glibc ]; inherit glibc; };
    dev = mkSh "protobuf-c-dev-${version}" { } ''
      mkdir -p $out
      for p in ${d + "/${suite}/libprotobuf-c-dev.deb"} ${d + "/${suite}-amd64"}/*.deb; do dpkg-deb -x $p $out; done
    '';
    compile = proto: ''
      LD_LIBRARY_PATH=${dev}/usr/lib/x86_64-linux-gnu ${dev}/usr/bin/protoc-c -I${src} --c_out=. ${src}/${proto}.proto
    '';
  };
  old = protobufc "1.3.3" "demo-bullseye";
  new = protobufc "1.4.1" "demo-bookworm";

  # As nixpkgs' cc-wrapper does it: the store's loader, a run path entry for every library.
  cc = "aarch64-linux-gnu-gcc -Wall -O2 -s -I. -I${src} -Wl,--enable-new-dtags -Wl,--dynamic-linker=${glibc}/lib/ld-linux-aarch64.so.1";
  use = ps: builtins.concatStringsSep " " (map (p: "-L${p}/lib -Wl,-rpath,${p}/lib") (ps ++ [ glibc ]));
  library = name: soname: pb: proto: stem: mkSh name { } ''
    ${pb.compile proto}
    mkdir -p $out/lib
    ${cc} -shared -fPIC -Wl,-soname,${soname} -o $out/lib/${soname} ${src}/${stem}.c ${proto}.pb-c.c \
      -isystem ${pb.dev}/usr/include ${use [ pb.lib ]} -l:libprotobuf-c.so.1
    ln -s ${soname} $out/lib/lib${stem}.so
  '';
  tflite = pb: library "tflite-${T}-2.14.0" "libtflite.so.2" pb "profile" "tflite";
  vision = library "vision-${T}-4.6.0" "libvision.so.4" new "model" "vision";
  sensor = name: tf: mkSh name { } ''
    mkdir -p $out/bin
    ${cc} -o $out/bin/sensor ${src}/sensor.c ${use [ tf vision ]} -ltflite -lvision -Wl,-rpath-link,${new.lib}/lib
  '';
in {
  # libtflite comes first in DT_NEEDED: libvision is bound to 1.3.3 and reads no model.
  conflict = sensor "sensor-${T}-0.4.2" (tflite old);
  fixed = sensor "sensor-fixed-${T}-0.4.2" (tflite new);
}
