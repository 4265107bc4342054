#!/usr/bin/env bash
# debs.sh [--only|--source] SUITE ARCH DIR PACKAGE...
# Download PACKAGE... of Debian's SUITE for ARCH with all their Depends (no Recommends)
# into DIR as PACKAGE.deb: version and architecture are dropped from the name, so that
# it is a legal Nix name.  DIR/closure.txt keeps "package version sha256 file".
#   --only    the named packages and nothing else
#   --source  the upstream tarballs of the source packages instead, names untouched
# Idempotent: what DIR holds already is not looked up again.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$0")/lib.sh"
mode=closure
case $1 in --only | --source) mode=${1#--}; shift ;; esac
suite=$1 arch=$2 dir=$3; shift 3
want="$mode $suite $arch $*"
[[ ! -e $dir/.want || $(<"$dir/.want") != "$want" ]] || exit 0
[[ -n $MIRROR ]] || die "no Debian mirror in /etc/apt: set MIRROR to the URL of one"
[[ -e $KEYRING ]] || die "no $KEYRING: install debian-archive-keyring"

# A private apt whose native architecture is ARCH and whose dpkg status is empty, so
# that "install" lists the whole transitive closure.
apt=$STORE_DIR/apt/$suite-$arch
export APT_CONFIG=$apt/apt.conf
if [[ ! -e $apt/ok ]]; then
  mkdir -p "$apt"/{lists/partial,cache/archives/partial,state}
  : > "$apt/status"
  printf '%s\n' "deb [arch=$arch signed-by=$KEYRING] $MIRROR $suite main" \
    "deb-src [signed-by=$KEYRING] $MIRROR $suite main" > "$apt/sources.list"
  cat > "$APT_CONFIG" <<CONF
APT::Architecture "$arch";
APT::Architectures { "$arch"; };
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Dir::State "$apt/state";
Dir::State::status "$apt/status";
Dir::State::lists "$apt/lists";
Dir::Cache "$apt/cache";
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::parts "/dev/null";
Dir::Etc::main "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Acquire::Languages "none";
Acquire::Retries "3";
APT::Update::Error-Mode "any";
CONF
  apt-get -q update
  touch "$apt/ok"
fi

tmp=$dir/.new
rm -rf "$dir"; mkdir -p "$tmp"
case $mode in
  only) (cd "$tmp" && apt-get -q download "$@") ;;
  source) (cd "$tmp" && apt-get -q source --download-only "$@" && mv -- *.orig.tar.* ..) ;;
  closure)
    apt-get -q -y --download-only install "$@"
    # --print-uris would leave out what the cache already holds; -s lists them all.
    apt-get -q -y -s install "$@" | awk '/^Inst / {gsub(/[()]/, ""); print $2, $3}' > "$dir/list"
    while read -r p v; do ln -f "$apt/cache/archives/${p}_${v//:/%3a}"_*.deb "$tmp/"; done < "$dir/list" ;;
esac
: > "$dir/closure.txt"
for f in "$tmp"/*.deb; do
  [[ -e $f ]] || continue
  p=${f##*/}; p=${p%%_*}
  mv "$f" "$dir/$p.deb"
  echo "$p $(dpkg-deb -f "$dir/$p.deb" Version) $(sha256sum < "$dir/$p.deb" | cut -d' ' -f1) $p.deb" >> "$dir/closure.txt"
done
rm -rf "$tmp" "$dir/list"
echo "$want" > "$dir/.want"
