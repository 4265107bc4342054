package closure

import "strings"

// debugged is what LD_DEBUG has told of one process so far.
type debugged struct {
	open   RecordedOpen // the last that was asked for
	asking bool         // and has not been found yet
}

// debugLine takes a line of LD_DEBUG apart: the process, and what is said of it (glibc elf/dl-load.c,
// elf/dl-init.c, elf/dl-open.c). It reports whether it is one.
//
//	12345:	file=libx.so [0];  dynamically loaded by ./prog [0]
//	12345:	file=libx.so [0];  generating link map
//	12345:	calling init: /nix/store/...-x-1.0/lib/libx.so
func (l *logReader) debugLine(line string) bool {
	pid, says, ok := strings.Cut(strings.TrimLeft(line, " "), ":\t")
	if !ok || !isNumber(pid) {
		return false
	}
	says = strings.TrimLeft(says, " ")
	p := l.debug[pid]
	if p == nil {
		if len(l.debug) >= maxLogPIDs {
			return true
		}
		p = &debugged{}
		l.debug[pid] = p
	}
	if file, ok := strings.CutPrefix(says, "calling init: "); ok {
		l.known = true
		l.file(file)
	} else if program, ok := strings.CutPrefix(says, "initialize program: "); ok {
		l.known = true
		if len(l.programs) < maxLogPIDs {
			l.programs[program] = true
		}
	} else if rest, ok := strings.CutPrefix(says, "file="); ok {
		l.known = true
		l.debugFile(p, rest)
	}
	return true
}

// debugFile takes "NAME [0];  WHAT" apart.
func (l *logReader) debugFile(p *debugged, rest string) {
	name, what, ok := strings.Cut(rest, "];  ")
	if !ok {
		return
	}
	name = beforeNamespace(name + "]")
	if by, ok := strings.CutPrefix(what, "dynamically loaded by "); ok {
		p.open, p.asking = RecordedOpen{By: beforeNamespace(by), Name: name}, true
		return
	}
	if what == "generating link map" {
		l.file(name)
		if p.asking && p.open.Name == name {
			l.open(p.open)
			p.asking = false
		}
	}
}

// beforeNamespace is the name before " [0]".
func beforeNamespace(s string) string {
	if i := strings.LastIndex(s, " ["); i >= 0 {
		return s[:i]
	}
	return s
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
