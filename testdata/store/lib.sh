# shellcheck shell=bash disable=SC2034
# Settings and helpers of the scripts in this folder.  Source it, do not run it.
#
# Nothing here touches the machine's own apt or Nix settings: apt runs with private
# folders below $STORE_DIR/apt, and Nix reads $STORE_DIR/etc/nix/nix.conf.
set -euo pipefail

HERE=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
STORE_DIR=$(realpath -m -- "${STORE_DIR:-$HERE/../../.store}")   # everything but /nix lives here
# The Debian mirror is the one that this machine's own apt uses.
MIRROR=${MIRROR:-$({ cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null || true; } |
  sed -n 's/^URIs: *\([^ ]*debian\)\/*$/\1/p; s/^deb  *\(\[[^]]*\] *\)\{0,1\}\([^ ]*debian\)\/* .*/\2/p' | head -n 1)}
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

export NIX_CONF_DIR=$STORE_DIR/etc/nix
export NIX_REMOTE=local          # never talk to a daemon, even if one runs
export LC_ALL=C.UTF-8
unset NIX_PATH CDPATH

say() { printf '%s\n' "$*" >&2; }
die() { say "${0##*/}: error: $*"; exit 1; }

# logged NAME COMMAND...: run COMMAND with its output in log/NAME.log.
logged() {
  local log=$STORE_DIR/log/$1.log; shift
  mkdir -p "$STORE_DIR/log"
  "$@" </dev/null >"$log" 2>&1 || { tail -n 15 "$log" >&2; die "${1##*/} failed, see $log"; }
}

# Debian architecture -> GNU triplet, which is also Debian's multiarch folder.
triplet() {
  case $1 in
    amd64) echo x86_64-linux-gnu ;;
    arm64) echo aarch64-linux-gnu ;;
    armhf) echo arm-linux-gnueabihf ;;
    i386) echo i386-linux-gnu ;;
    ppc64el) echo powerpc64le-linux-gnu ;;
    riscv64 | s390x) echo "$1-linux-gnu" ;;
    *) die "unknown Debian architecture $1" ;;
  esac
}

# is_elf FILE: true for an ELF file that is not a link.
is_elf() {
  [[ -f $1 && ! -L $1 ]] && [[ $(head -c4 -- "$1" | od -An -tx1 | tr -d ' \n') == 7f454c46 ]]
}

# begin: one run at a time in $STORE_DIR, with a fresh apt and a single-user Nix at the real
# /nix/store: no daemon, build users, sandbox or substituter; root builds with Debian's tools.
begin() {
  [[ $(id -u) == 0 ]] || die "needs root, to make /nix"
  for c in nix-build patchelf qemu-aarch64-static qemu-arm-static aarch64-linux-gnu-g++ g++ readelf dpkg-deb; do
    command -v $c >/dev/null || die "no $c on this machine: install what $HERE/packages.txt names"
  done
  mkdir -p "$STORE_DIR"/{debs,log,results,root} "$NIX_CONF_DIR"
  exec 9>"$STORE_DIR/.lock"
  flock 9
  trap 'rm -rf "$STORE_DIR/apt"' EXIT
  rm -rf "$STORE_DIR/apt"
  printf '%s\n' "build-users-group =" "sandbox = false" "substituters =" "max-jobs = auto" > "$NIX_CONF_DIR/nix.conf"
}
