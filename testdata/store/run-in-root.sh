#!/usr/bin/env bash
# run-in-root.sh ROOT PROGRAM [ARG...]: run PROGRAM, a path inside ROOT, chrooted in ROOT
# as on the machine that ROOT stands for: /nix of this machine is out of sight, and a
# program for arm64 or armhf may start others (a shell wrapper, #!).  Its exit status is
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
    elf() { printf ":%s:M::%s:%s:%s:PF\n" "$1" "$2" "$3" "$4" > /proc/sys/fs/binfmt_misc/register; }
    mask="\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xfe\\xff\\xff\\xff"
    elf aarch64 "\\x7fELF\\x02\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\x00\\xb7\\x00" "$mask" /usr/bin/qemu-aarch64-static
    elf arm     "\\x7fELF\\x01\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\x00\\x28\\x00" "$mask" /usr/bin/qemu-arm-static
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
case $(od -An -tx2 -j18 -N2 -- "$root/$1" | tr -d ' ') in
  00b7) arch=aarch64 ;;
  0028) arch=arm ;;
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
