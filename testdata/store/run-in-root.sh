#!/usr/bin/env bash
# run-in-root.sh ROOT PROGRAM [ARG...]: run PROGRAM, a path inside ROOT, chrooted in ROOT
# as on the machine that ROOT stands for: /nix of this machine is out of sight, and a
# program for another machine may start others (a shell wrapper, #!).  Its exit status is
# the program's, 128+N after signal N.  ROOT may be / : then only qemu is added.
#
# binfmt_misc is mounted in a private user and mount namespace (Linux 6.7 or newer), so
# nothing is registered on this machine, nothing stays mounted, and any number of these
# may run at a time.  /proc and /dev are this machine's, if ROOT has such folders.  Where that is impossible, plain chroot and qemu run programs that
# start no other, and standard error says so.
#
# Not "qemu -L" and not "proot -r": both let this machine's /nix shine through, and would
# pass a bundle that still needs it.
set -euo pipefail
[[ $# -ge 2 ]] || { echo "usage: run-in-root.sh ROOT PROGRAM [ARG...]" >&2; exit 2; }
root=$1; shift
[[ -d $root ]] || { echo "run-in-root.sh: error: no such root: $root" >&2; exit 2; }
root=$(realpath -- "$root")
ulimit -c 0                      # qemu would leave qemu_*.core files behind
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
private=(unshare --user --map-root-user --mount --pid --fork --kill-child)

if "${private[@]}" mount -t binfmt_misc none /proc/sys/fs/binfmt_misc 2>/dev/null; then
  # shellcheck disable=SC2016
  exec "${private[@]}" -- bash -c '
    set -euo pipefail
    root=$1; shift
    mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
    # :name:M:offset:magic:mask:interpreter:flags.  P keeps argv[0], F opens the emulator
    # now, so that it is found from inside the chroot too.
    elf() { # NAME CLASS-AND-ORDER MACHINE QEMU, MACHINE in the byte order of the file
      local type=\\x02\\x00 any=\\xfe\\xff
      [[ $2 != *02 ]] || type=\\x00\\x02 any=\\xff\\xfe
      local id="\\x7fELF$2\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00$type$3"
      local mask="\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff$any\\xff\\xff"
      printf ":%s:M::%s:%s:%s:PF\n" "$1" "$id" "$mask" "/usr/bin/qemu-$4-static" > /proc/sys/fs/binfmt_misc/register
    }
    elf aarch64 "\\x02\\x01" "\\xb7\\x00" aarch64
    elf arm     "\\x01\\x01" "\\x28\\x00" arm
    elf riscv64 "\\x02\\x01" "\\xf3\\x00" riscv64
    elf ppc64le "\\x02\\x01" "\\x15\\x00" ppc64le
    elf s390x   "\\x02\\x02" "\\x00\\x16" s390x
    for d in proc dev; do
      [[ $root == / || ! -d $root/$d ]] || mount --rbind "/$d" "$root/$d"
    done
    # Not exec: as process 1 the program would ignore the signals it sends to itself.
    # The shell itself keeps quiet about a signal.
    exec 3>&2 2>/dev/null
    rc=0; chroot "$root" "$@" 2>&3 3>&- || rc=$?
    exit $rc
  ' run-in-root "$root" "$@"
fi

# binfmt_misc of the whole machine may have qemu registered, and opened (F), already.
registered() { grep -qs '^flags:.*F' "/proc/sys/fs/binfmt_misc/qemu-$1"; }
case $(od -An -tx1 -j18 -N2 -- "$root/$1" | tr -d ' ') in
  b700) arch=aarch64 ;;
  2800) arch=arm ;;
  f300) arch=riscv64 ;;
  1500) arch=ppc64le ;;
  0016) arch=s390x ;;
  *) arch= ;;                       # this machine's, or a script
esac
if [[ -z $arch ]] || registered $arch; then exec chroot "$root" "$@"; fi
echo "run-in-root.sh: no private binfmt_misc here: what $1 starts will not run" >&2
qemu=$(command -v "qemu-$arch-static")
[[ $root != / ]] || exec "$qemu" "$@"
tmp=$(mktemp -d "$root/.qemu.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
cp "$qemu" "$tmp/qemu"
rc=0
chroot "$root" "/${tmp##*/}/qemu" "$@" || rc=$?
exit $rc
