#!/bin/sh
# build.sh FOLDER: compiles the stub for every machine into FOLDER/MACHINE.bin with Debian's cross
# compilers. Each is linked twice, at two addresses, and must be the same.
set -eu
to=$(cd "$1" && pwd)
cd "$(dirname "$0")"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

build() { # build MACHINE COMPILER FLAG...
  machine=$1 compiler=$2; shift 2
  for base in 0x10000 0x22340; do
    "$compiler-gcc" "$@" -DMACHINE="\"$machine.h\"" -std=gnu11 -Os -Wall -Wextra -Wno-parentheses -Werror -ffreestanding -nostdlib -static \
      -fpic -fvisibility=hidden -fno-stack-protector -fno-asynchronous-unwind-tables -fno-unwind-tables \
      -fno-tree-loop-distribute-patterns -fomit-frame-pointer \
      -Wl,--build-id=none -Wl,--defsym=BASE=$base -Wl,-T,stub.ld -Wl,--no-warn-rwx-segments -o "$tmp/$machine.$base" stub.c
    "$compiler-objcopy" -O binary -j .text "$tmp/$machine.$base" "$tmp/$machine.$base.bin"
  done
  cmp "$tmp/$machine.0x10000.bin" "$tmp/$machine.0x22340.bin"
  cat "$tmp/$machine.0x10000.bin" > "$to/$machine.bin"
}

build x86_64 x86_64-linux-gnu -march=x86-64 -mgeneral-regs-only
build aarch64 aarch64-linux-gnu -march=armv8-a -mcmodel=tiny -mgeneral-regs-only
build arm arm-linux-gnueabihf -march=armv6 -mthumb -mfloat-abi=soft -mno-unaligned-access
build riscv64 riscv64-linux-gnu -march=rv64imac -mabi=lp64 -mno-relax
