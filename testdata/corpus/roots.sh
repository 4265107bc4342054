#!/usr/bin/env bash
# roots.sh ARCH...: for each Debian architecture make $STORE_DIR/corpus/ARCH, a file system with
# programs and libraries of many compilers, and all that they need; packages are only extracted.
# $STORE_DIR/corpus/tools gets a binutils that knows all machines.  What is there already is kept.
# shellcheck source-path=SCRIPTDIR source=../store/lib.sh
. "$(dirname -- "$0")/../store/lib.sh"
[[ $(id -u) == 0 ]] || die "needs root: the loaders run chrooted"
export STORE_DIR=$STORE_DIR/corpus                  # an apt and a lock of its own
mkdir -p "$STORE_DIR/log"
exec 9>"$STORE_DIR/.lock"
flock 9
trap 'rm -rf "$STORE_DIR/apt"' EXIT

packages=(libc6 bash dash coreutils util-linux mount login passwd e2fsprogs procps iproute2 iptables
  systemd udev python3 perl git curl rsync vim-tiny nano gnupg openssh-client bind9-dnsutils sqlite3
  tcpdump libglib2.0-bin alsa-utils smbclient imagemagick librsvg2-bin ripgrep gdb shellcheck
  libgfortran5 postgresql-client)

tools=$STORE_DIR/tools
if [[ ! -e $tools/ok ]]; then
  logged tools "$HERE/debs.sh" --only bookworm amd64 "$tools" binutils-multiarch
  dpkg-deb -x "$tools"/binutils-multiarch.deb "$tools"
  touch "$tools/ok"
fi
for arch in "$@"; do
  suite=bookworm root=$STORE_DIR/$arch debs=$STORE_DIR/debs-$arch
  [[ $arch != riscv64 ]] || suite=trixie            # bookworm has none
  want="$suite ${packages[*]}"
  [[ ! -e $root.made || $(<"$root.made") != "$want" ]] || continue
  say "corpus: $arch (${SECONDS} s)"
  rm -rf "$root" "$root.made"
  logged "debs-$arch" "$HERE/debs.sh" "$suite" "$arch" "$debs" "${packages[@]}"
  mkdir -p "$root"/usr/{bin,sbin,lib}
  for d in bin sbin lib; do ln -s "usr/$d" "$root/$d"; done
  for f in "$debs"/*.deb; do
    dpkg-deb --fsys-tarfile "$f" | tar -x -C "$root" --keep-directory-symlink \
      --exclude='./usr/share/*' --exclude='./var/*' --exclude='./dev/*'
  done
  rm -rf "$debs"
  echo "$want" > "$root.made"
done
