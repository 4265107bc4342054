#!/usr/bin/env bash
# root.sh SUITE ARCH DIR PACKAGE...: make DIR, the file system of a machine without Nix,
# from PACKAGE... of Debian's SUITE for ARCH and their Depends.  Packages are only
# extracted, without documentation, and no maintainer script runs; what those would do and
# programs rely on is done here: /bin/sh, /etc/passwd, links to BLAS and LAPACK, ld.so.cache.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$0")/lib.sh"
suite=$1 arch=$2 dir=$3; shift 3
debs=$STORE_DIR/debs/root-${dir##*/}
want="$suite $arch $*" made=${dir%/*}/.${dir##*/}.made
[[ ! -e $made || $(<"$made") != "$want" ]] || exit 0
rm -rf "$dir" "$made"
mkdir -p "$dir"/{usr/{bin,sbin,lib},proc,sys,dev,tmp,opt,etc}
chmod 1777 "$dir/tmp"
for d in bin sbin lib; do ln -s "usr/$d" "$dir/$d"; done           # merged /usr, as Debian installs it
"$HERE/debs.sh" "$suite" "$arch" "$debs" "$@"
for f in "$debs"/*.deb; do
  dpkg-deb --fsys-tarfile "$f" | tar -x -C "$dir" --keep-directory-symlink \
    --exclude='./usr/share/doc/*' --exclude='./usr/share/man/*' --exclude='./usr/share/locale/*'
done
[[ -e $dir/bin/sh ]] || ln -s dash "$dir/bin/sh"
for f in passwd group; do cp "$dir/usr/share/base-passwd/$f.master" "$dir/etc/$f"; done
lib=$dir/usr/lib/$(triplet "$arch")
for f in "$lib"/{blas,lapack}/*.so.*; do
  [[ ! -e $f ]] || ln -sf "${f#"$lib/"}" "$lib/${f##*/}"
done
"$HERE/run-in-root.sh" "$dir" /sbin/ldconfig
rm -rf "$debs"
echo "$want" > "$made"
