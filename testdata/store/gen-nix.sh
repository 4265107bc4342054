#!/usr/bin/env bash
# gen-nix.sh DIR ARCH ROOT...: write DIR/pkgs.nix, an attribute set with one derivation for
# every Debian package in DIR (of debs.sh) that one of ROOT reaches over DT_NEEDED.  The
# edges come from the ELF files and not from Debian's Depends, which have cycles
# (libc6 <-> libgcc-s1).  ROOT is PACKAGE, or PACKAGE=PROGRAM for one program of it.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$0")/lib.sh"
dir=$1 arch=$2; shift 2
first="# Written by gen-nix.sh for $arch $*"
[[ ! -e $dir/pkgs.nix || $dir/closure.txt -nt $dir/pkgs.nix || $0 -nt $dir/pkgs.nix || $(head -n 1 "$dir/pkgs.nix") != "$first" ]] || exit 0
tri=$(triplet "$arch")
# nixpkgs names cross-built paths PNAME-TRIPLE-VERSION.
case $arch in
  arm64) infix=-aarch64-unknown-linux-gnu ;;
  armhf) infix=-armv7l-unknown-linux-gnueabihf ;;
  amd64) infix= ;;
esac
un=$(mktemp -d)
trap 'rm -rf "$un"' EXIT
declare -A bin=() provider=() deps=()
queue=()
for r in "$@"; do
  queue+=("${r%%=*}")
  bin[${r%%=*}]=$([[ $r != *=* ]] || echo "${r#*=}")
done

# needed FILE...: the DT_NEEDED of those that are ELF files.
needed() {
  local f
  for f in "$@"; do
    if is_elf "$f"; then readelf -dW "$f" 2>/dev/null | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'; fi
  done | sort -u
}

# What every package provides: its libraries' names.
while read -r p _ _ file; do
  dpkg-deb -x "$dir/$file" "$un/$p"
  while IFS= read -r so; do
    [[ -n ${provider[$so]:-} ]] || provider[$so]=$p
  done < <(find "$un/$p/usr/lib/$tri" "$un/$p/lib/$tri" \( -name '*.so' -o -name '*.so.*' \) -printf '%f\n' 2>/dev/null | sort -u)
done < "$dir/closure.txt"

# Reachability over DT_NEEDED.
while ((${#queue[@]})); do
  p=${queue[0]}; queue=("${queue[@]:1}")
  [[ -z ${deps[$p]+done} ]] || continue
  [[ -d $un/$p ]] || die "package $p is not in $dir"
  mapfile -d '' -t files < <(find "$un/$p/usr/lib/$tri" "$un/$p/lib/$tri" -type f -print0 2>/dev/null)
  [[ -z ${bin[$p]:-} ]] || files+=("$un/$p/usr/bin/${bin[$p]}" "$un/$p/bin/${bin[$p]}")
  mine=()
  for so in $(needed "${files[@]}"); do
    q=${provider[$so]:-}
    if [[ -z $q ]]; then say "note: nobody provides $so, needed by $p"
    elif [[ $q != "$p" ]]; then mine+=("$q"); fi
  done
  deps[$p]=$(printf '%s\n' "${mine[@]}" | sort -u)
  queue+=("${mine[@]}")
done

# Nix could not build a cycle; tsort names it.
loop=$(for p in "${!deps[@]}"; do for q in ${deps[$p]}; do echo "$p $q"; done; done | tsort 2>&1 >/dev/null || true)
[[ -z $loop ]] || die "DT_NEEDED cycle between packages: $loop"

{
  echo "$first"
  echo "{ mkDeb }: let self = {"
  for p in $(printf '%s\n' "${!deps[@]}" | sort); do
    read -r _ ver _ file < <(grep "^$p " "$dir/closure.txt")
    ver=${ver#*:}; ver=${ver%-*}; ver=${ver//[~^:]/-}; ver=${ver%%+dfsg*}
    name=$p; glibc='self."libc6"'
    if [[ $p == libc6 ]]; then name=glibc glibc='""'; fi
    printf '  "%s" = mkDeb {\n    name = "%s";\n    deb = ./%s;\n    bins = "%s";\n    glibc = %s;\n    deps = [' \
      "$p" "$name$infix-$ver" "$file" "${bin[$p]:-}" "$glibc"
    for q in ${deps[$p]}; do printf ' self."%s"' "$q"; done
    printf ' ];\n  };\n'
  done
  echo "}; in self"
} > "$dir/pkgs.nix.new"
mv "$dir/pkgs.nix.new" "$dir/pkgs.nix"
say "${#deps[@]} packages reached over DT_NEEDED of $(wc -l < "$dir/closure.txt")"
