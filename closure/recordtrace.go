package closure

import (
	"path"
	"regexp"
	"strings"
	"sync"
)

// traceForms are what a line of a trace is made of.
type traceForms struct {
	pid, time        *regexp.Regexp // what begins it: "[pid 123] ", or "123 ", and with strace's -t, -tt, -ttt or -r a time
	call, done, gave *regexp.Regexp // "openat(", "<... openat resumed>", ") = 3"
}

// trace compiles them when a trace is read: no other run waits for that.
var trace = sync.OnceValue(func() traceForms {
	return traceForms{
		pid:  regexp.MustCompile(`^(?:\[pid +(\d+)\] +|(\d+) +)`),
		time: regexp.MustCompile(`^(?:\d\d:\d\d:\d\d(?:\.\d+)?|\d+\.\d+)(?: \(\+ +\d+\.\d+\))? +`),
		call: regexp.MustCompile(`^([a-z0-9_]+)\(`),
		done: regexp.MustCompile(`^<\.\.\. ([a-z0-9_]+) resumed>`),
		gave: regexp.MustCompile(`\)\s*=\s*(-?[0-9]+)`),
	}
})

const traceCut = "<unfinished ...>"

// traceLine takes a line of strace or qemu's -strace apart. A call that another process interrupts is
// told in two lines.
//
//	123 openat(AT_FDCWD, "/nix/store/...", O_RDONLY|O_CLOEXEC <unfinished ...>
//	123 <... openat resumed>) = 3
func (l *logReader) traceLine(line string) {
	pid := ""
	if m := trace().pid.FindStringSubmatch(line); m != nil {
		pid, line = m[1]+m[2], line[len(m[0]):]
	}
	line = line[len(trace().time.FindString(line)):]
	if m := trace().done.FindString(line); m != "" {
		begun, ok := l.traced[pid]
		delete(l.traced, pid)
		if !ok {
			return
		}
		line = begun + line[len(m):]
	} else if begun, _, ok := strings.Cut(line, traceCut); ok {
		if len(l.traced) < maxLogPIDs && len(begun) < maxLogLine/2 && tracedCalls[callOf(begun)] != 0 {
			l.traced[pid] = strings.TrimRight(begun, " ")
			l.text++ // so that a log of nothing else ends
		}
		return
	}
	l.traceOne(line)
}

// tracedCalls are those that matter, with the number of their argument that is a path, from 1.
var tracedCalls = map[string]int{"open": 1, "openat": 2, "openat2": 2, "execve": 1, "execveat": 2}

func callOf(line string) string {
	if m := trace().call.FindStringSubmatch(line); m != nil {
		return m[1]
	}
	return ""
}

// traceOne is a whole call: openat(AT_FDCWD, "PATH", FLAGS) = 3.
func (l *logReader) traceOne(line string) {
	call := callOf(line)
	if tracedCalls[call] == 0 {
		l.known = l.known || call != "" && trace().gave.MatchString(line)
		return
	}
	args, dir := line[len(call)+1:], ""
	if tracedCalls[call] == 2 {
		fd, rest, ok := strings.Cut(args, ",")
		if !ok {
			return
		}
		dir, args = annotated(fd), strings.TrimLeft(rest, " ")
	}
	name, rest, ok := quoted(args)
	gave := trace().gave.FindAllStringSubmatch(rest, -1)
	if !ok || gave == nil {
		return
	}
	l.known = true
	result := gave[0][1]
	if strings.HasPrefix(call, "exec") { // whose arguments may say anything
		result = gave[len(gave)-1][1]
	}
	if result[0] == '-' {
		return
	}
	if !strings.HasPrefix(name, "/") && dir != "" {
		name = path.Join(dir, name)
	}
	if flags, _, _ := strings.Cut(rest, ")"); strings.Contains(flags, "O_DIRECTORY") {
		l.folder(name)
		return
	}
	l.file(name)
}

// annotated is what strace -y says that a file descriptor is: "5</nix/store/...>".
func annotated(fd string) string {
	_, dir, ok := strings.Cut(fd, "<")
	if !ok || !strings.HasPrefix(dir, "/") {
		return ""
	}
	return strings.TrimSuffix(dir, ">")
}

// quoted is a string as C writes it, at the start of a text, and what follows it. One that is cut
// ("...) is none.
func quoted(text string) (s, rest string, ok bool) {
	if !strings.HasPrefix(text, `"`) {
		return "", "", false
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; c {
		case '"':
			rest = text[i+1:]
			return b.String(), rest, !strings.HasPrefix(rest, "...")
		case '\\':
			n := unescape(&b, text[i+1:])
			if n == 0 {
				return "", "", false
			}
			i += n
		default:
			b.WriteByte(c)
		}
	}
	return "", "", false
}

// unescape writes what an escape stands for and gives its length without the backslash: \n, \", \\, and
// numbers of up to three octal or two hexadecimal digits.
func unescape(b *strings.Builder, text string) int {
	if text == "" {
		return 0
	}
	if i := strings.IndexByte(`abtnvfr`, text[0]); i >= 0 {
		b.WriteByte(byte(7 + i))
		return 1
	}
	base, digits, start, most := 8, "01234567", 0, 3
	if text[0] == 'x' {
		base, digits, start, most = 16, "0123456789abcdef", 1, 2
	}
	n, value := start, 0
	for n < len(text) && n < start+most {
		d := strings.IndexByte(digits, text[n])
		if d < 0 {
			break
		}
		value, n = value*base+d, n+1
	}
	if n == start {
		b.WriteByte(text[0])
		return 1
	}
	b.WriteByte(byte(value))
	return n
}
