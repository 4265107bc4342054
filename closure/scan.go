package closure

import (
	"bytes"
	"errors"
	"strings"
	"unicode/utf8"
)

// Scanner finds the paths of the store in the bytes of one file, which it is given piece by piece: by
// [Scanner.Write], as an io.Writer is, then [Scanner.Finish]. Where the pieces end does not change what it
// finds. It keeps at most some 4 KiB of the file and allocates nothing where nothing is found. It is not
// for concurrent use.
//
// A path begins with the store directory, a slash, the digest and a dash. What has no store directory in
// front is not found: a digest alone, which Nix's own scanner (src/libstore/references.cc) goes by, is no
// path that anybody opens. Nor is what Nix does not find either, so that no closure holds it: text in UTF-16,
// in compressed data, or that a compiler split into the operands of instructions. Nix puts the paths of
// outputs in the place of their placeholders before a builder starts, so that no file has any.
type Scanner struct {
	prefix []byte // the store directory and a slash
	found  []Found
	held   []byte // the last bytes given, which a path may begin in
	at     int64  // where in the file the next byte is that is not in held, or held begins
	before byte   // the one before that; NUL at the beginning
	err    error
}

// Found is a place in a file at which a path of the store begins. How far it goes is in part a guess; see
// [Mention].
type Found struct {
	Off  int64  // bytes
	Text string // from the store directory to where no path goes on: see [Mention]
	// Whole says that Text is a string of its own: a NUL, or the file's beginning, before it, a NUL behind it.
	Whole bool
}

// maxFound is how many paths one file may have; a large index of files has some 100,000.
const maxFound = 1 << 20

// errManyPaths: a file that no bundle can be meant to have.
var errManyPaths = errors.New("more than 1048576 paths of the store in one file")

// NewScanner makes a scanner of the paths below a store directory; "" means /nix/store.
func NewScanner(storeDir string) *Scanner {
	opts := Options{StoreDir: storeDir}
	return &Scanner{prefix: []byte(strings.TrimRight(opts.storeDir(), "/") + "/")}
}

// Write looks through the next bytes of the file. The error is that there are too many paths.
func (s *Scanner) Write(p []byte) (int, error) {
	n := len(p)
	for len(s.held) > 0 && len(p) > 0 {
		old := len(s.held)
		more := min(len(p), cap(s.held)-old)
		s.held = append(s.held, p[:more]...)
		done := s.scan(s.held, false)
		s.pass(s.held[:done])
		if done >= old {
			s.held, p = s.held[:0], p[done-old:]
			break
		}
		s.held, p = s.held[:copy(s.held, s.held[done:])], p[more:]
	}
	if len(p) > 0 {
		done := s.scan(p, false)
		s.pass(p[:done])
		s.hold(p[done:])
	}
	if s.err != nil {
		return 0, s.err
	}
	return n, nil
}

// Finish gives what was found in the file, in its order. The scanner is then ready for another file.
func (s *Scanner) Finish() ([]Found, error) {
	s.scan(s.held, true)
	found, err := s.found, s.err
	s.found, s.held, s.at, s.before, s.err = nil, s.held[:0], 0, 0, nil
	if err != nil {
		return nil, err
	}
	return found, nil
}

// pass notes that bytes are done with.
func (s *Scanner) pass(p []byte) {
	if len(p) > 0 {
		s.at, s.before = s.at+int64(len(p)), p[len(p)-1]
	}
}

// hold keeps the bytes that are not done with. There is room for the longest path, and behind it for what
// tells that another begins.
func (s *Scanner) hold(p []byte) {
	if len(p) > 0 && s.held == nil {
		s.held = make([]byte, 0, maxPath+2*s.head())
	}
	s.held = append(s.held, p...)
}

// scan looks through bytes that begin at s.at and returns how many it is done with: up to a path, or the
// beginning of one, that may go on behind them, unless they are the last.
func (s *Scanner) scan(b []byte, last bool) int {
	for at := 0; ; {
		i := bytes.Index(b[at:], s.prefix)
		if i < 0 {
			return len(b) - s.overlap(b[at:])
		}
		at += i
		n, enough := s.measure(b[at:], last)
		if !enough {
			return at
		}
		if n > 0 {
			s.add(b, at, n)
		}
		at += max(n, 1) // the slash at the end of a prefix may be the first of the next
	}
}

// overlap is how many of the last bytes of b are the first ones of the prefix.
func (s *Scanner) overlap(b []byte) int {
	n := min(len(b), len(s.prefix)-1)
	for n > 0 && !bytes.HasSuffix(b, s.prefix[:n]) {
		n--
	}
	return n
}

// measure gives the length of the text that begins with the prefix at b[0]: to a NUL, another control
// character, the next path of the store, or PATH_MAX; 0 where no store path follows. It needs to see the
// byte behind the text.
func (s *Scanner) measure(b []byte, last bool) (n int, enough bool) {
	if yes, sure := s.begins(b); !yes || !sure {
		return 0, !yes || last
	}
	for n = s.head(); ; n++ {
		if n >= len(b) {
			return n, last
		}
		if b[n] < ' ' || b[n] == 0x7f || n >= maxPath-1 {
			return n, true
		}
		if b[n] == '/' {
			yes, sure := s.begins(b[n:])
			if yes && (sure || !last) {
				return n, sure
			}
		}
	}
}

// head is the length of the shortest store path.
func (s *Scanner) head() int { return len(s.prefix) + digestLen + 2 }

// begins reports whether b begins with a store path, as far as it goes, and whether it goes far enough to
// be sure.
func (s *Scanner) begins(b []byte) (yes, sure bool) {
	if n := min(len(b), len(s.prefix)); !bytes.Equal(b[:n], s.prefix[:n]) {
		return false, true
	}
	sure = len(b) >= s.head()
	rest := b[min(len(b), len(s.prefix)):]
	digest := rest[:min(len(rest), digestLen)]
	if digestKinds(digest) == 0 {
		return false, true
	}
	rest = rest[len(digest):]
	yes = (len(rest) < 1 || rest[0] == '-') && (len(rest) < 2 || isNameChar(rest[1]))
	return yes, sure || !yes
}

// add notes a path of n bytes at b[at].
func (s *Scanner) add(b []byte, at, n int) {
	if len(s.found) >= maxFound {
		s.err = errManyPaths
		return
	}
	before := s.before
	if at > 0 {
		before = b[at-1]
	}
	text := validText(b[at : at+n])
	s.found = append(s.found, Found{
		Off: s.at + int64(at), Text: string(text),
		Whole: before == 0 && at+n < len(b) && b[at+n] == 0 && len(text) == n,
	})
}

// validText is b up to the first byte that is not UTF-8, which io/fs has no names of.
func validText(b []byte) []byte {
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			return b[:i]
		}
		i += n
	}
	return b
}

// digestKind is how a digest is written, of which a text may be several.
type digestKind uint8

const (
	digestReal    digestKind = 1 << iota // as it is
	digestUpper                          // in capitals: __FILE__ by nixpkgs' gcc (mangle-NIX_STORE-in-__FILE__.patch)
	digestBlanked                        // all e, which is no digit: nixpkgs' remove-references-to, and its gcc before that
)

// digestKinds are the kinds of which the characters of a digest are.
func digestKinds(digest []byte) digestKind {
	kinds := digestReal | digestUpper | digestBlanked
	for _, c := range digest {
		switch {
		case c == 'e':
			kinds &= digestBlanked
		case '0' <= c && c <= '9':
			kinds &= digestReal | digestUpper
		case strings.IndexByte(nix32, c) >= 0:
			kinds &= digestReal
		case 'A' <= c && c <= 'Z' && strings.IndexByte(nix32, c|0x20) >= 0:
			kinds &= digestUpper
		default:
			return 0
		}
	}
	return kinds
}
