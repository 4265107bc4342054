#!/usr/bin/env bash
# bindings.sh [-e NAME=VALUE]... [--run] PROGRAM [SYSROOT]          (glibc only)
# Prints the sorted set of   FILE <space> SYMBOL <space> VERSION|- <space> -> <space> FILE|UNDEFINED
# as the real ld.so binds them at start, everything at once (LD_BIND_NOW=1).
# Default: trace mode with LD_WARN, which is what "ldd -r" does: relocates everything, runs no
#   constructor, no IFUNC resolver and no program code.
# --run: really starts the program, with its constructors, and reads up to the first
#   "calling init:", so ld.so's own relocation is included too.
# shellcheck source-path=SCRIPTDIR source=oracle-lib.sh
. "$(dirname -- "$0")/oracle-lib.sh"
[[ $kind == glibc ]] || stop 65 "$file: musl's loader does not tell its bindings"
ulimit -c 0
rc=0
if [[ -n $run ]]; then
  run_guest LD_BIND_NOW=1 LD_DEBUG=bindings -- "$prog" >/dev/null 2>"$tmp/err" </dev/null || true
  sed -i '/calling init:/,$d' "$tmp/err"
else
  trace=(LD_TRACE_LOADED_OBJECTS=1 LD_WARN=1 LD_BIND_NOW=1 LD_DEBUG=bindings)
  run_guest "${trace[@]}" -- "$prog" >"$tmp/out" 2>"$tmp/err" || rc=$?
  # 5: a set-id program (AT_SECURE); do as ldd does, start it through its loader.
  if [[ $rc == 5 ]]; then
    rc=0; run_guest "${trace[@]}" -- "$interp" "$prog" >"$tmp/out" 2>"$tmp/err" || rc=$?
  fi
  cat "$tmp/out" >>"$tmp/err"
  # glibc crashes in this mode if libc.so.6 itself is missing.
  [[ $rc -lt 5 ]] || echo "bindings.sh: the loader ended with $rc: not complete" >&2
fi
awk '
  match($0,/binding file .* \[[0-9]+\] to .* \[[0-9]+\]: (normal|protected) symbol `/) {
    s=substr($0,RSTART+13,RLENGTH-13); rest=substr($0,RSTART+RLENGTH)
    i=index(s," ["); from=substr(s,1,i-1); s=substr(s,i); sub(/^ \[[0-9]+\] to /,"",s); i=index(s," ["); to=substr(s,1,i-1)
    j=index(rest,"\047"); sym=substr(rest,1,j-1); v=substr(rest,j+1); gsub(/[][ \r]/,"",v); if (v=="") v="-"
    if (from ~ /^linux-(vdso|gate)/) next   # the loader looking up its own vDSO pointers
    if (sym == "__global_pointer$") next    # riscv: the loader sets gp of the program by it
    print from, sym, v, "->", to; next }
  /error: symbol lookup error: / { next }      # LD_DEBUG echo of the line below
  /undefined symbol: / { s=$0; sub(/.*undefined symbol: /,"",s); f=""; if (match(s,/\t\(.*\)$/)) { f=substr(s,RSTART+2,RLENGTH-3); s=substr(s,1,RSTART-1) }
    v="-"; if ((k=index(s,", version "))) { v=substr(s,k+10); s=substr(s,1,k-1) }
    print (f==""?"?":f), s, v, "->", "UNDEFINED"; next }
  /not found|error while loading|Inconsistency|no version information/ { print > "/dev/stderr" }
' "$tmp/err" | sort -u
