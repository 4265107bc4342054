#!/usr/bin/env bash
# load-order.sh [-e NAME=VALUE]... PROGRAM [SYSROOT]
# Prints, one per line and in the order in which the real loader put them on its list,
#   INDEX <tab> REQUESTED-NAME <tab> FILE        (FILE is "not found" for a missing one)
# Index 0 is the program itself.  No code of the program runs.  Exit 1: something missing.
# shellcheck source-path=SCRIPTDIR source=oracle-lib.sh
. "$(dirname -- "$0")/oracle-lib.sh"
ulimit -c 0
rc=0
if [[ $kind == musl ]]; then
  run_guest -- "$interp" --list "$prog" >"$tmp/out" 2>&1 || rc=$?
else
  run_guest LD_TRACE_LOADED_OBJECTS=1 -- "$prog" >"$tmp/out" 2>&1 || rc=$?
  # 5: a set-id program (AT_SECURE); do as ldd does, start it through its loader.
  [[ $rc != 5 ]] || run_guest LD_TRACE_LOADED_OBJECTS=1 -- "$interp" "$prog" >"$tmp/out" 2>&1 || rc=$?
fi
awk -v prog="$prog" -v kind="$kind" -v interp="$interp" '
  BEGIN { OFS="\t"; print 0, prog, prog; n=1 }
  /statically linked|not a dynamic/ { next }
  /^\t/ {
    s=substr($0,2); sub(/ \(0x[0-9a-f]+\)$/,"",s)
    i=index(s," => ")
    if (i) { name=substr(s,1,i-1); path=substr(s,i+4) } else { name=s; path=s }
    if (path !~ /\// && path != "not found" && name==path && name ~ /^linux-(vdso|gate)/) next   # vDSO
    if (kind=="musl" && (!i || (path==interp && seen++))) next   # the loader naming itself
    if (name=="") next                                   # the program itself
    if (path=="not found") bad=1
    print n++, name, path; next }
  /^Error (loading|relocating)/ { print > "/dev/stderr"; bad=1; next }     # musl
  /./ { print > "/dev/stderr"; if ($0 !~ /no version information/) bad=1 }
  END { exit bad }' "$tmp/out"
