package closure

import (
	"io/fs"
	"math"
	"strings"
)

// lead finds how much of a text is a path, and what it leads to; nil where nothing is there. anywhere says
// that the path may end within a word.
func (r *MentionReader) lead(text string, anywhere bool) (string, *node) {
	at := len(strings.TrimRight(r.opts.storeDir(), "/")) + 1
	if r.store == nil {
		return text[:at+pathEnd(text[at:])], nil
	}
	dir, links := r.store, 0
	for {
		n, kid := r.component(dir, text[at:], anywhere)
		if n == 0 {
			return r.missing(text, at, dir)
		}
		if kid.mode&fs.ModeSymlink != 0 {
			var err error
			if kid, err = r.link(dir, kid, &links); err != nil {
				return text[:at+max(n, pathEnd(text[at:]))], nil
			}
		}
		at += n
		if at == len(text) || text[at] != '/' || !kid.mode.IsDir() {
			return text[:at], kid
		}
		for at < len(text) && text[at] == '/' {
			at++
		}
		if dir = kid; at == len(text) {
			return text, dir
		}
	}
}

// missing is the path at whose component text[at:] nothing is there: what stands before a mark. One that is
// a template (share/%s.dat, lib/*.so) leads to the folder that is there.
func (r *MentionReader) missing(text string, at int, dir *node) (string, *node) {
	end := at + pathEnd(text[at:])
	if end < len(text) && strings.IndexByte("%$*?[{", text[end]) >= 0 || end == at {
		end = strings.LastIndexByte(text[:end], '/') + 1
	}
	if end <= at && dir != r.store {
		return text[:at], dir
	}
	return text[:max(end, at)], nil
}

// component finds the longest beginning of rest that is a name in a folder; n is 0 where none is.
func (r *MentionReader) component(dir *node, rest string, anywhere bool) (n int, kid *node) {
	word, _, _ := strings.Cut(rest, "/")
	switch word {
	case ".":
		return 1, dir
	case "..":
		return 2, dir.parent
	}
	if dir == r.store {
		word = word[:nameLen(word)]
	} else {
		r.readNames(dir)
	}
	for n := min(len(word), maxName); n > 0; n-- {
		if n < len(word) && !anywhere && !endsPath(rest[n:]) {
			continue
		}
		if kid, err := r.look(dir, word[:n]); err == nil {
			return n, kid
		}
	}
	return 0, nil
}

// look is the entry of a folder by that name. That the store has none is not remembered: there may be many
// that are asked for.
func (r *MentionReader) look(dir *node, name string) (*node, error) {
	if kid, ok := dir.kids[name]; ok {
		return kid, kid.err
	}
	kid, err := r.kid(dir, name)
	if err != nil {
		delete(dir.kids, name)
	}
	return kid, err
}

// readNames lists a folder, so that any number of names is looked for in it at once.
func (t *tree) readNames(dir *node) {
	if dir.names != nil || dir.probes == math.MaxInt {
		return
	}
	dir.probes = math.MaxInt
	if t.quick != nil {
		if names, ok, err := t.quick.names(dir.path, math.MaxInt); err == nil && ok {
			dir.listed, dir.names = true, names
		}
		return
	}
	t.list(dir)
}

// nameLen is how many characters at the beginning of s may be in the name of a store path.
func nameLen(s string) int {
	n := 0
	for n < len(s) && isNameChar(s[n]) {
		n++
	}
	return n
}

// pathEnd is how much of s is a path, as far as one can tell without looking.
func pathEnd(s string) int {
	n := 0
	for n < len(s) && !endsPath(s[n:]) {
		n++
	}
	return n
}

// endsPath reports whether a path ends before s: at a mark that names of files seldom have, or at the end of
// a sentence.
func endsPath(s string) bool {
	const marks = " \"'`:;,<>()[]{}|&=?%$*#\\^!"
	switch {
	case s == "" || strings.IndexByte(marks, s[0]) >= 0:
		return true
	case s[0] == '.':
		return len(s) == 1 || strings.IndexByte(" \"'`<>()", s[1]) >= 0
	}
	return false
}
