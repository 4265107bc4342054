package closure

import (
	"bytes"
	"cmp"
	"debug/elf"
	"path"
	"slices"
	"strings"

	"github.com/nixbundle/nixbundle/elfpatch"
)

// libText is a string in a file that could name a library.
type libText struct {
	text string
	off  int64 // in the file, bytes
}

const (
	maxText   = maxPath // a longer run of characters is no name
	maxTexts  = 4096    // strings of one file that are kept
	textChunk = 1 << 20
)

// texts finds the whole strings of a file that have mark in them and that keep wants: runs of printable
// ASCII that end in NUL and begin behind anything else, or where a section begins. All that the loader
// maps is looked through but the string table of the dynamic section and, where the file has section
// headers to tell, code, which holds pieces of strings. Each string is told once.
func texts(o *Object, mark string, keep func(string) bool) ([]libText, error) {
	f, err := o.Open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	sections, err := elfpatch.ReadSections(f, o.Size)
	if err != nil {
		sections = nil // the loader reads none
	}
	t := &textScan{f: f, mark: []byte(mark), keep: keep, seen: map[string]bool{}, starts: sectionStarts(sections)}
	skip := codeSections(sections)
	if off, n, err := elfpatch.DynamicStrings(f, o.Size); err == nil {
		skip = append(skip, fileRange{off, off + n})
	}
	for _, r := range without(mappedRanges(o), skip) {
		if err := t.scan(r); err != nil {
			return nil, err
		}
	}
	return t.found, nil
}

// fileRange is a part of a file, bytes.
type fileRange struct{ from, to int64 }

// mappedRanges are the parts of a file that PT_LOAD segments map.
func mappedRanges(o *Object) []fileRange {
	var all []fileRange
	for _, s := range o.Info.Segments {
		if s.Type == elf.PT_LOAD && s.Off < uint64(o.Size) {
			all = append(all, fileRange{int64(s.Off), int64(s.Off + min(s.Filesz, uint64(o.Size)-s.Off))})
		}
	}
	return all
}

// without is what is in some ranges and in none of others, in order and each byte once.
func without(ranges, others []fileRange) []fileRange {
	byStart := func(a, b fileRange) int { return cmp.Compare(a.from, b.from) }
	slices.SortFunc(ranges, byStart)
	slices.SortFunc(others, byStart)
	var left []fileRange
	end, next := int64(0), 0
	for _, r := range ranges {
		r.from = max(r.from, end)
		for end = max(end, r.to); r.from < r.to; {
			for next < len(others) && others[next].to <= r.from {
				next++
			}
			to := r.to
			if next < len(others) {
				to = min(to, max(others[next].from, r.from))
			}
			if to > r.from {
				left = append(left, fileRange{r.from, to})
			}
			if r.from = to; next < len(others) && others[next].from <= to {
				r.from = max(to, others[next].to)
			}
		}
	}
	return left
}

// sectionStarts are where sections with constants begin, sorted: what stands before one is not of its
// first string.
func sectionStarts(sections []elfpatch.Section) []int64 {
	var starts []int64
	for _, s := range sections {
		if s.Type == elf.SHT_PROGBITS && s.Flags&elf.SHF_ALLOC != 0 && s.Flags&elf.SHF_EXECINSTR == 0 {
			starts = append(starts, int64(s.Off))
		}
	}
	slices.Sort(starts)
	return starts
}

// codeSections are where sections with code stand.
func codeSections(sections []elfpatch.Section) []fileRange {
	var code []fileRange
	for _, s := range sections {
		if s.Type == elf.SHT_PROGBITS && s.Flags&elf.SHF_EXECINSTR != 0 {
			code = append(code, fileRange{int64(s.Off), int64(s.Off + s.Size)})
		}
	}
	return code
}

// textScan is one look through one file.
type textScan struct {
	f      File
	mark   []byte
	keep   func(string) bool
	starts []int64
	seen   map[string]bool
	found  []libText
	buf    []byte
}

// scan looks through a range in windows that overlap by what a string can be long, so that each string
// is whole in the window that it is looked for in.
func (t *textScan) scan(r fileRange) error {
	for at := r.from; at < r.to; {
		n := min(int64(textChunk), r.to-at)
		if int64(cap(t.buf)) < n {
			t.buf = make([]byte, n)
		}
		b := t.buf[:n]
		if got, err := t.f.ReadAt(b, at); int64(got) < n {
			return err
		}
		from, to := int64(0), n
		if at > r.from {
			from = maxText
		}
		last := at+n == r.to
		if !last {
			to = n - maxText
		}
		t.window(b, at, int(from), int(to))
		if last {
			break
		}
		at += n - 2*maxText
	}
	return nil
}

// window looks for marks that stand in b[from:to]; b stands at off.
func (t *textScan) window(b []byte, off int64, from, to int) {
	for from < to {
		i := bytes.Index(b[from:], t.mark)
		if i < 0 || from+i >= to {
			return
		}
		at := from + i
		start, end := t.around(b, off, at)
		if end < len(b) && b[end] == 0 && end-start < maxText {
			t.take(string(b[start:end]), off+int64(start))
		}
		from = max(end, at+1)
	}
}

// around is the run of printable characters around a place.
func (t *textScan) around(b []byte, off int64, at int) (start, end int) {
	start, end = at, at
	for start > 0 && at-start < maxText && isPrintable(b[start-1]) {
		start--
	}
	for end < len(b) && end-at < maxText && isPrintable(b[end]) {
		end++
	}
	if i, _ := slices.BinarySearch(t.starts, off+int64(at)+1); i > 0 {
		start = max(start, int(max(t.starts[i-1]-off, 0)))
	}
	return start, end
}

func (t *textScan) take(s string, off int64) {
	if len(t.found) < maxTexts && !t.seen[s] && t.keep(s) {
		t.seen[s] = true
		t.found = append(t.found, libText{s, off})
	}
}

func isPrintable(c byte) bool { return c >= ' ' && c <= '~' }

// isLibraryText reports whether a string could be what a program hands to dlopen: the name of a file
// that ends in ".so" or ".so.N", by itself, or behind $ORIGIN, or an absolute path of the machine.
func isLibraryText(s string) bool {
	dir, base := path.Split(s)
	if !isLibraryName(base) {
		return false
	}
	switch {
	case dir == "":
		return true
	case strings.HasPrefix(dir, "$ORIGIN/"), strings.HasPrefix(dir, "${ORIGIN}/"):
		return true
	}
	return dir[0] == '/' && len(dir) > 1
}

// isLibraryName is the rule for the name of the file: what ldconfig and plugins have.
func isLibraryName(base string) bool {
	stem, ends := strings.CutSuffix(base, ".so")
	if !ends {
		var number string
		if stem, number, ends = strings.Cut(base, ".so."); !ends || number == "" || number[0] < '0' || number[0] > '9' {
			return false
		}
	}
	if stem == "" || len(base) > maxName || stem[0] == '-' || stem[0] == '.' || isVDSO(base) {
		return false
	}
	for i := range len(base) {
		if c := base[i]; !isNameByte(c) && strings.IndexByte("+-.", c) < 0 {
			return false
		}
	}
	return true
}

// isVDSO reports whether a name is that of the kernel's own object, which is in no file (vdso(7)).
func isVDSO(name string) bool {
	return strings.HasPrefix(name, "linux-vdso") || strings.HasPrefix(name, "linux-gate.so.")
}
