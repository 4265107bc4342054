# shellcheck shell=bash disable=SC2034
# What load-order.sh and bindings.sh share: their arguments and run_guest.  Source it.
#   [-e NAME=VALUE]... [--run] PROGRAM [SYSROOT]
# PROGRAM is an ELF program, inside SYSROOT if that is given; -e sets a variable in its
# environment, which is otherwise empty.  Exit status: 64 usage, 65 not ours, 66 unreadable.
set -euo pipefail
export LC_ALL=C
stop() { echo "${0##*/}: $2" >&2; exit "$1"; }

vars=() run=
while [[ ${1-} == -* ]]; do
  case $1 in
    -e) vars+=("${2-}"); shift 2 ;;
    --run) run=1; shift ;;
    *) stop 64 "bad option $1" ;;
  esac
done
[[ $# == 1 || $# == 2 ]] || stop 64 "usage: ${0##*/} [-e NAME=VALUE]... PROGRAM [SYSROOT]"
prog=$1 sysroot=${2:+$(realpath -- "$2")}
sysroot=${sysroot%/}
# A loader that is started by hand takes $ORIGIN from the text of its argument (glibc before 2.42).
[[ -n $sysroot ]] || prog=$(realpath -- "$prog")
# In a sysroot links are the sysroot's: read the program through the same eyes.
file=$sysroot$prog
for ((hops = 0; hops < 40; hops++)); do
  [[ -n $sysroot && -L $file ]] || break
  link=$(readlink -- "$file")
  case $link in /*) file=$sysroot$link ;; *) file=${file%/*}/$link ;; esac
done
[[ -r $file && -f $file ]] || stop 66 "cannot read $file"
[[ $(od -An -tx1 -N4 -- "$file" | tr -d ' ') == 7f454c46 ]] || stop 65 "$file: not ELF"
# Class, byte order and machine.  In a sysroot qemu runs this machine's programs too: chroot must not
# see the LD_ variables.
read -r class data < <(od -An -tu1 -j4 -N2 -- "$file")
read -r low high < <(od -An -tu1 -j18 -N2 -- "$file")
[[ $data == 1 ]] && machine=$((high * 256 + low)) || machine=$((low * 256 + high))
case $class/$data/$machine in
  2/1/183) qemu="qemu-aarch64-static" ;;
  1/1/40) qemu="qemu-arm-static" ;;
  2/1/62) qemu=${sysroot:+qemu-x86_64-static} ;;
  1/1/3) qemu="qemu-i386-static" ;;
  2/1/243) qemu="qemu-riscv64-static" ;;
  2/1/21) qemu="qemu-ppc64le-static" ;;
  2/2/22) qemu="qemu-s390x-static" ;;
  2/1/8) qemu="qemu-mips64el-static" ;;
  *) stop 65 "$file: unknown machine" ;;
esac
interp=$(readelf -lW -- "$file" 2>/dev/null | sed -n 's/.*program interpreter: \(.*\)\]$/\1/p')
[[ -n $interp ]] || stop 3 "$file: no PT_INTERP (static, static-pie or a library)"
case ${interp##*/} in ld-musl-*) kind=musl ;; *) kind=glibc ;; esac

tmp=$(mktemp -d)
inner=
trap 'rm -rf "$tmp" ${inner:+"$inner"}' EXIT
if [[ -n $sysroot ]]; then
  inner=$(mktemp -d "$sysroot/.oracle.XXXXXX")
  cp "$(command -v "$qemu")" "$inner/qemu"
fi

# run_guest NAME=VALUE... -- ARG...: start ARG..., paths of the guest, with that environment.
run_guest() {
  local set=("${vars[@]}") opts=() v
  while [[ $1 != -- ]]; do set+=("$1"); shift; done
  shift
  if [[ -z $qemu ]]; then env -i "${set[@]}" "$@"; return; fi
  for v in "${set[@]}"; do opts+=(-E "$v"); done
  if [[ -z $sysroot ]]; then
    env -i "$(command -v "$qemu")" "${opts[@]}" "$@"
  elif [[ $(id -u) == 0 ]]; then
    env -i "$(command -v chroot)" "$sysroot" "/${inner##*/}/qemu" "${opts[@]}" "$@"
  else
    env -i "$(command -v unshare)" -r "$(command -v chroot)" "$sysroot" "/${inner##*/}/qemu" "${opts[@]}" "$@"
  fi
}
