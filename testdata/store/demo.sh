#!/usr/bin/env bash
# demo.sh: build the demo closures with Nix and export them to testdata/demo, a small real
# store that git keeps.  Run it after a change to nix/demo.nix or src/demo, and commit what
# it leaves.  A newer package in Debian changes digests.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$0")/lib.sh"
begin
demo=$HERE/../demo
debs() { # debs NAME SUITE ARCH PACKAGE...
  logged "debs-$1" "$HERE/debs.sh" --only "$2" "$3" "$STORE_DIR/debs/$1" "${@:4}"
}
debs demo-bookworm bookworm arm64 libc6 libprotobuf-c1 libprotobuf-c-dev
debs demo-bookworm-amd64 bookworm amd64 protobuf-c-compiler libprotobuf-c1 libprotoc32 libprotobuf32
debs demo-bullseye bullseye arm64 libprotobuf-c1 libprotobuf-c-dev
debs demo-bullseye-amd64 bullseye amd64 protobuf-c-compiler libprotobuf-c1 libprotoc23 libprotobuf23

variants=(conflict fixed)
for v in "${variants[@]}"; do
  logged "demo-$v" nix-build "$HERE/nix/demo.nix" --argstr debs "$STORE_DIR/debs" -A "$v" -o "$STORE_DIR/.demo-$v"
done
rm -rf "$demo"
mkdir -p "$demo/nix/store"
for v in "${variants[@]}"; do
  path=$(readlink "$STORE_DIR/.demo-$v")
  while IFS= read -r p; do
    [[ -e $demo$p ]] || cp -a "$p" "$demo$p"
  done < <(nix-store -qR "$path")
  ln -s "${path#/}" "$demo/sensor-$v"
done
chmod -R u+w "$demo"             # 0444 and 0555 in the store; git knows 0644 and 0755
say "demo: $(find "$demo" -type f | wc -l) files, $(tar -C "$demo" -c . | gzip | wc -c) bytes compressed"
