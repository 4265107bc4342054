#!/usr/bin/env bash
# make.sh [full] [bench]: build the real stores and the roots without Nix that the tests
# use.  See README.md.  Store paths go to /nix/store, everything else to $STORE_DIR
# (default: .store at the top of the repository).  What is there already is kept.
#   full   also roots of bullseye and trixie, and of other machines
#   bench  also programs whose closure is large: two roots, and a store path
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$0")/lib.sh"
full='' bench=''
for a in "$@"; do
  case $a in full) full=1 ;; bench) bench=1 ;; *) die "unknown argument $a: use full or bench" ;; esac
done
begin
step() { say "store: $* (${SECONDS} s)"; }

step "downloading packages"
debs() { # debs NAME [--only|--source] SUITE ARCH PACKAGE...
  local name=$1 mode=(); shift
  case $1 in --*) mode=("$1"); shift ;; esac
  logged "debs-$name" "$HERE/debs.sh" "${mode[@]}" "$1" "$2" "$STORE_DIR/debs/$name" "${@:3}"
}
closure() { # closure NAME ARCH PACKAGE[=PROGRAM]...: with all Depends, and pkgs.nix
  local name=$1 arch=$2; shift 2
  debs "$name" bookworm "$arch" "${@%%=*}"
  logged "nix-$name" "$HERE/gen-nix.sh" "$STORE_DIR/debs/$name" "$arch" "$@"
}
closure sensor arm64 libopencv-dnn406 libopencv-imgproc406 libopencv-core406 libprotobuf32 libstdc++6
closure armhf armhf sqlite3=sqlite3
closure bash arm64 bash=bash
closure amd64rt amd64 zlib1g libstdc++6
debs cvdev --only bookworm arm64 libopencv-core-dev libopencv-dnn-dev libopencv-imgproc-dev
debs pb23 --only bullseye arm64 libprotobuf23 libprotobuf-dev
debs pb23-protoc --only bullseye amd64 protobuf-compiler libprotoc23 libprotobuf23
debs pb32dev --only bookworm arm64 libprotobuf-dev
debs pb32-protoc --only bookworm amd64 protobuf-compiler libprotoc32 libprotobuf32
debs protobuf-source --source bookworm arm64 protobuf
debs zlib-dev --only bookworm arm64 zlib1g-dev
debs musl --only bookworm arm64 musl
debs musl-dev --only bookworm arm64 musl-dev
debs static --only bookworm arm64 busybox-static
debs glibc-old --only bullseye amd64 libc6
debs glibc-new --only trixie amd64 libc6
for arch in amd64 arm64 armhf; do debs "musl-$arch" --only bookworm "$arch" musl musl-dev; done
debs musl-riscv64 --only trixie riscv64 musl musl-dev   # Debian 12 has no riscv64

[[ -z $bench ]] || closure bench amd64 ffmpeg=ffmpeg

step "building with Nix"
logged nix-build nix-build "$HERE/nix/all.nix" --argstr debs "$STORE_DIR/debs" -o "$STORE_DIR/.results"
for l in "$STORE_DIR"/.results/*; do ln -sfn "$(readlink "$l")" "$STORE_DIR/results/${l##*/}"; done

[[ -z $bench ]] || logged nix-bench nix-build "$HERE/nix/bench.nix" --argstr debs "$STORE_DIR/debs" -o "$STORE_DIR/bench-store"

step "taking the loaders of other glibcs"
for g in old new; do
  mkdir -p "$STORE_DIR"/loaders
  dpkg-deb --fsys-tarfile "$STORE_DIR/debs/glibc-$g/libc6.deb" | tar -x -O --wildcards '*/ld-[2l]*.so*' > "$STORE_DIR/loaders/$g.so"
  chmod +x "$STORE_DIR/loaders/$g.so"
done

step "making roots"
root() { # root NAME SUITE ARCH PACKAGE...
  logged "root-${1##*/}" "$HERE/root.sh" "$2" "$3" "$(realpath -m "$STORE_DIR/root/$1")" "${@:4}"
}
pi=(libc6 libc-bin base-files base-passwd bash dash coreutils findutils grep sed tar gzip zstd libgcc-s1 libstdc++6 zlib1g)
root bookworm-arm64 bookworm arm64 "${pi[@]}"
root bookworm-armhf bookworm armhf "${pi[@]}"
for a in arm64 armhf; do root bullseye-$a bullseye $a "${pi[@]}"; done   # an older glibc
# Many programs, to compare load orders: run paths (systemd, smbclient), deep trees, set-id.
root programs-arm64 bookworm arm64 "${pi[@]}" curl git perl python3 openssh-client gnupg bind9-dnsutils \
  systemd smbclient rsync vim-tiny iproute2 iptables sqlite3 tcpdump nano e2fsprogs util-linux mount passwd \
  procps libglib2.0-bin alsa-utils
if [[ -n $full ]]; then
  # What other releases' C libraries provide, and what starts there.
  root trixie-arm64 trixie arm64 "${pi[@]}"
  root trixie-armhf trixie armhf "${pi[@]}"
  for suite in bullseye bookworm trixie; do
    root $suite-amd64 $suite amd64 libc6 libc-bin base-files base-passwd dash libgcc-s1 libstdc++6
  done
fi
# The other machines whose relocations are known, riscv64 with a newer glibc.
for a in i386 ppc64el s390x riscv64; do
  suite=bookworm; [[ $a != riscv64 ]] || suite=trixie
  [[ -z $full ]] || root "programs-$a" $suite $a "${pi[@]}" curl git perl python3 smbclient bind9-dnsutils gnupg
done
# No glibc at all: busybox and musl, as Alpine has them.
m=$STORE_DIR/root/musl-arm64
mkdir -p "$m"/{bin,lib,proc,sys,dev,tmp,opt,etc}
chmod 1777 "$m/tmp"
for d in static/busybox-static musl-arm64/musl musl-armhf/musl; do
  dpkg-deb --fsys-tarfile "$STORE_DIR/debs/$d.deb" | tar -x -C "$m" --exclude='./usr'
done
ln -sf busybox "$m/bin/sh"
# 250 objects, 250 MB.
[[ -z $bench ]] || root ../bench-root bookworm arm64 "${pi[@]}" gmic
# The same natively, with what one would use instead.
[[ -z $bench ]] || root ../bench-native bookworm amd64 "${pi[@]}" gmic libtree
step "done"
