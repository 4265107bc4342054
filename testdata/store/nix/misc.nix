# Wrappers, two architectures in one output, musl, static.
{ debs }:
let
  l = import ./lib.nix { arch = "arm64"; };
  lx = import ./lib.nix { arch = "amd64"; };
  inherit (l) mkSh;
  d = /. + debs;
  deb = import (d + "/sensor/pkgs.nix") { inherit (l) mkDeb; };
  bashA = (import (d + "/bash/pkgs.nix") { inherit (l) mkDeb; }).bash;
  debx = import (d + "/amd64rt/pkgs.nix") { inherit (lx) mkDeb; };
  T = "aarch64-unknown-linux-gnu";
  src = ../src/misc;
  zdev = mkSh "zlib-dev" { } "mkdir -p $out; dpkg-deb -x ${d + "/zlib-dev/zlib1g-dev.deb"} $out";

  # Cross and native cc with the store's loader and RUNPATHs, as nixpkgs' cc-wrapper does it.
  dirs = ps: builtins.concatStringsSep " " (map (p: "-L${p}/lib -Wl,-rpath,${p}/lib") ps);
  cc = "aarch64-linux-gnu-gcc -w -O2 -I${zdev}/usr/include -Wl,--enable-new-dtags -Wl,--dynamic-linker=${deb.libc6}/lib/ld-linux-aarch64.so.1";
  ccx = "gcc -w -O2 -I${zdev}/usr/include -Wl,--enable-new-dtags -Wl,--dynamic-linker=${debx.libc6}/lib/ld-linux-x86-64.so.2";
  z = [ deb.zlib1g deb.libc6 ];
  zx = [ debx.zlib1g debx.libc6 ];

  greetingFile = mkSh "greeting-1.0" { } "mkdir -p $out/share; echo 'hello from a data store path' > $out/share/greeting.txt";
  tool = mkSh "helper-tools-${T}-1.0" { } ''
    mkdir -p $out/bin; ${cc} -o $out/bin/helper ${src}/static.c ${dirs [ deb.libc6 ]}'';
  greetBin = "${cc} -o $out/bin/.greet-wrapped ${src}/greet.c ${dirs z} -l:libz.so.1";

  # Fill a template: the text that nixpkgs' makeShellWrapper (2023 form) leaves, or
  # the C text that its makeCWrapper generates for the same flags.
  fill = target: shell: "sed -e 's|@target@|'$out/bin/${target}'|g' -e 's|@shell@|${shell}/bin/bash|g' -e 's|@tool@|${tool}|g' -e 's|@ldpath@|${deb.libtbb12}|g' -e 's|@file@|${greetingFile}/share/greeting.txt|g'";
  shellWrapper = shell: target: "${fill target shell} ${src}/wrapper.sh.in > $out/bin/greet; chmod +x $out/bin/greet";
  binaryWrapper = target: "${fill target "none"} ${src}/wrapper.c.in > w.c; ${cc} -Os -o $out/bin/greet w.c ${dirs [ deb.libc6 ]}";

  muslDev = mkSh "musl-dev" { } ''
    mkdir -p $out; dpkg-deb -x ${d + "/musl-dev/musl-dev.deb"} $out; dpkg-deb -x ${d + "/musl/musl.deb"} $out'';
  muslInc = "${muslDev}/usr/include/aarch64-linux-musl";
  muslLib = "${muslDev}/usr/lib/aarch64-linux-musl";
  musl = mkSh "musl-aarch64-unknown-linux-musl-1.2.3" { } ''
    mkdir -p $out/lib
    cp ${muslDev}/lib/aarch64-linux-musl/libc.so $out/lib/libc.so
    ln -s libc.so $out/lib/ld-musl-aarch64.so.1
  '';
  muslcc = "aarch64-linux-gnu-gcc -w -O2 -nostdinc -isystem ${muslInc} -isystem $(aarch64-linux-gnu-gcc -print-file-name=include) -nostdlib -Wl,--enable-new-dtags -Wl,-z,relro";
  muslGreet = mkSh "musl-greet-aarch64-unknown-linux-musl-1.0" { } ''
    mkdir -p $out/lib
    ${muslcc} -shared -fPIC -Wl,-soname,libgreet.so.1 -o $out/lib/libgreet.so.1 ${src}/musl-greet.c -L${musl}/lib -Wl,-rpath,${musl}/lib -lc -lgcc
  '';
in rec {
  # Two shapes of wrapper.
  wrapBash = mkSh "greet-${T}-1.0" { } ''
    mkdir -p $out/bin; ${greetBin}
    ${shellWrapper bashA ".greet-wrapped"}'';
  wrapBinary = mkSh "greet-${T}-1.1" { } ''
    mkdir -p $out/bin; ${greetBin}
    ${binaryWrapper ".greet-wrapped"}'';
  # Compiled for two machines into one output, as EPICS modules are.
  ioc = mkSh "opcua-${T}-0.10.0" { } ''
    for a in linux-aarch64 linux-x86_64; do mkdir -p $out/bin/$a $out/lib/$a $out/configure; done
    A="${cc}"; X="${ccx}"
    $A -shared -fPIC -Wl,-soname,libopcua.so -o $out/lib/linux-aarch64/libopcua.so ${src}/opcua.c ${dirs z} -l:libz.so.1
    $X -shared -fPIC -Wl,-soname,libopcua.so -o $out/lib/linux-x86_64/libopcua.so ${src}/opcua.c ${dirs zx} -l:libz.so.1
    $A -c -o a.o ${src}/opcua.c; ar cr $out/lib/linux-aarch64/libopcua.a a.o
    $X -c -o x.o ${src}/opcua.c; ar cr $out/lib/linux-x86_64/libopcua.a x.o
    $A -o $out/bin/linux-aarch64/opcuaIoc ${src}/ioc.c -L$out/lib/linux-aarch64 -Wl,-rpath,$out/lib/linux-aarch64 -lopcua ${dirs z} -Wl,-rpath-link,${deb.zlib1g}/lib
    $X -o $out/bin/linux-x86_64/opcuaIoc ${src}/ioc.c -L$out/lib/linux-x86_64 -Wl,-rpath,$out/lib/linux-x86_64 -lopcua ${dirs zx} -Wl,-rpath-link,${debx.zlib1g}/lib
    echo "OPEN62541=${deb.zlib1g}" > $out/configure/RELEASE
    echo "OPEN62541_HOST=${debx.zlib1g}" > $out/configure/RELEASE.local
  '';
  # x86_64's zlib stands first in the RUNPATH; ld.so skips it (e_machine).
  wrongArchFirst = mkSh "greet-wrongarch-${T}-1.0" { } ''
    mkdir -p $out/bin
    ${cc} -o $out/bin/greet ${src}/greet.c -Wl,-rpath,${debx.zlib1g}/lib ${dirs z} -l:libz.so.1'';
  # musl, dynamic and static; static glibc; static-pie.
  muslHello = mkSh "musl-hello-aarch64-unknown-linux-musl-1.0" { } ''
    mkdir -p $out/bin
    ${muslcc} -pie -fPIE -Wl,--dynamic-linker=${musl}/lib/ld-musl-aarch64.so.1 -o $out/bin/musl-hello \
      ${muslLib}/Scrt1.o ${muslLib}/crti.o ${src}/musl-hello.c -L${muslGreet}/lib -Wl,-rpath,${muslGreet}/lib -l:libgreet.so.1 \
      -L${musl}/lib -Wl,-rpath,${musl}/lib -lc -lgcc ${muslLib}/crtn.o'';
  static = mkSh "static-${T}-1.0" { } ''
    mkdir -p $out/bin
    aarch64-linux-gnu-gcc -O2 -static -o $out/bin/static-glibc ${src}/static.c
    aarch64-linux-gnu-gcc -O2 -static-pie -fPIE -o $out/bin/static-pie ${src}/static.c
    ${muslcc} -static -o $out/bin/static-musl ${muslLib}/crt1.o ${muslLib}/crti.o ${src}/static.c ${muslLib}/libc.a -lgcc ${muslLib}/crtn.o
    dpkg-deb -x ${d + "/static/busybox-static.deb"} b; cp b/bin/busybox $out/bin/busybox
    ln -s busybox $out/bin/ls
    strip() { aarch64-linux-gnu-strip "$@"; }; strip $out/bin/static-*
  '';
}
