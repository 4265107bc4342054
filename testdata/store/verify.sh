#!/usr/bin/env bash
# verify.sh: run every program that make.sh built from the store, under qemu, and compare
# with what it must do; and ask the real ld.so what it loads and binds.  One line for each
# check; exit status 1 if one fails.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$0")/lib.sh"
cd "$STORE_DIR/results" 2>/dev/null || die "no $STORE_DIR/results: run make.sh first"
oracle=$HERE/../oracle
bad=0

# told NAME OK DETAIL: one line; OK is 1 or nothing.
told() {
  if [[ $2 == 1 ]]; then printf 'ok    %-22s %s\n' "$1" "$3"; else printf 'FAIL  %-22s %s\n' "$1" "$3"; bad=1; fi
}
# runs NAME STATUS TEXT PROGRAM [ARG...]
runs() {
  local name=$1 status=$2 text=$3 out rc=0; shift 3
  out=$(timeout 120 "$HERE/run-in-root.sh" / "$(readlink -f "$1")" "${@:2}" 2>&1) || rc=$?
  if [[ $rc == "$status" && $out == *"$text"* ]]; then told "$name" 1 "exit $rc: $text"
  else told "$name" 0 "exit $rc, not $status with \"$text\": $out"; fi
}
# loads NAME COUNT PROGRAM: ld.so loads COUNT objects, all of them from the store.  (Debian's
# ld.so reads ld.so.cache and the system's folders too, so success alone proves nothing.)
loads() {
  local list n strangers
  list=$("$oracle/load-order.sh" "$3" | tail -n +2 | cut -f 3)
  n=$(wc -l <<<"$list") strangers=$(grep -v '^/nix/store/' <<<"$list" | tr '\n' ' ' || true)
  told "$1" "$([[ $n == "$2" && -z $strangers ]] && echo 1)" "loads $n objects${strangers:+, from elsewhere: $strangers}"
}
# binds NAME COUNT FROM TO PROGRAM: COUNT symbols that FROM refers to are bound to TO.
binds() {
  local n
  n=$("$oracle/bindings.sh" "$5" 2>/dev/null | grep -c "^[^ ]*/$3[^ ]* .* -> .*$4" || true)
  told "$1" "$([[ $n == "$2" ]] && echo 1)" "$n symbols of $3 reach $4"
}

runs  sensor-plain        0 "sensor: OK" sensor-plain/bin/sensor
loads sensor-plain       22 sensor-plain/bin/sensor
runs  sensor-fixed        0 "sensor: OK" sensor-fixed/bin/sensor
loads sensor-fixed       23 sensor-fixed/bin/sensor
runs  sensor-samesoname   1 "Failed to parse ONNX model" sensor-samesoname/bin/sensor
loads sensor-samesoname  23 sensor-samesoname/bin/sensor
binds sensor-samesoname 147 libopencv_dnn protobuf-.*-3.21.9/ sensor-samesoname/bin/sensor
runs  sensor-diffsoname 139 "signal 11" sensor-diffsoname/bin/sensor
loads sensor-diffsoname  24 sensor-diffsoname/bin/sensor
binds sensor-diffsoname 117 libopencv_dnn libprotobuf.so.23 sensor-diffsoname/bin/sensor
binds sensor-diffsoname  30 libopencv_dnn libprotobuf.so.32 sensor-diffsoname/bin/sensor
runs  twoprogs-sensor     0 "sensor: OK" sensor-twoprogs/bin/sensor
loads twoprogs-sensor    22 sensor-twoprogs/bin/sensor
runs  twoprogs-tfprof     0 "profile round trip 3" sensor-twoprogs/bin/tfprof
loads twoprogs-tfprof     7 sensor-twoprogs/bin/tfprof
runs  armhf-sqlite3       0 "42" armhf-sqlite3/bin/sqlite3 :memory: "select 6*7"
loads armhf-sqlite3       7 armhf-sqlite3/bin/sqlite3
if [[ $("$HERE/run-in-root.sh" / "$(readlink -f misc-static/bin/static-pie)" 2>&1) == *"no private binfmt_misc"* ]]; then
  echo "skip  wrapBash, wrapBinary   they start another program"
else
  runs wrapBash           0 "hello from a data store path" misc-wrapBash/bin/greet x
  runs wrapBinary         0 "hello from a data store path" misc-wrapBinary/bin/greet x
fi
loads wrapBinary          3 misc-wrapBinary/bin/.greet-wrapped
runs  ioc-aarch64         0 "ioc: linux-aarch64" misc-ioc/bin/linux-aarch64/opcuaIoc
loads ioc-aarch64         4 misc-ioc/bin/linux-aarch64/opcuaIoc
runs  ioc-x86_64          0 "ioc: linux-x86_64" misc-ioc/bin/linux-x86_64/opcuaIoc
loads ioc-x86_64          4 misc-ioc/bin/linux-x86_64/opcuaIoc
runs  wrongArchFirst      0 "zlib=1.2.13" misc-wrongArchFirst/bin/greet
loads wrongArchFirst      3 misc-wrongArchFirst/bin/greet
runs  musl-dynamic        0 "built against musl" misc-muslHello/bin/musl-hello
loads musl-dynamic        2 misc-muslHello/bin/musl-hello
for s in static-glibc static-pie static-musl; do runs $s 0 "static: ok" misc-static/bin/$s; done
runs  static-busybox      0 "hello" misc-static/bin/busybox echo hello

for r in "$STORE_DIR"/root/* "$STORE_DIR/bench-root"; do
  [[ -d $r ]] || continue
  out=$("$HERE/run-in-root.sh" "$r" /bin/sh -c '[ ! -e /nix ] && echo no /nix' 2>&1) || true
  told "root ${r##*/}" "$([[ $out == *"no /nix" ]] && echo 1)" "$out"
done
for v in "conflict 1 cannot parse model" "fixed 0 sensor: OK"; do
  read -r name status text <<<"$v"
  out=$("$HERE/run-in-root.sh" "$HERE/../demo" "/sensor-$name/bin/sensor" 2>&1) && rc=0 || rc=$?
  told "demo $name" "$([[ $rc == "$status" && $out == *"$text"* ]] && echo 1)" "exit $rc: $text"
done
exit $bad
