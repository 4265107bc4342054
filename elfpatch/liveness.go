package elfpatch

import (
	"math/bits"
	"slices"
)

// liveness says which bytes of a string table something uses: those from the beginning of a string
// that is used to its NUL. A string may begin within another.
type liveness struct {
	starts   []uint64 // a bit for each byte: a used string begins there
	last     int      // the last of those
	closed   bool     // all bytes are taken to be used
	reserved int      // a string that dies and is not overwritten; 0 for none

	swept bool
	holes []extent // the unused runs of the frozen part, once they were asked for
}

// mark says that the string at offset o is in use.
func (t *strtab) mark(o uint64) {
	if o >= uint64(t.text.end) {
		return
	}
	if missing := int(o/64) + 1 - len(t.starts); missing > 0 {
		t.starts = append(t.starts, make([]uint64, missing)...)
	}
	t.starts[o/64] |= 1 << (o % 64)
	t.last = max(t.last, int(o))
}

// begins is the first place from on before to where a used string begins, or to.
func (l *liveness) begins(from, to int) int {
	for i := from / 64; i < len(l.starts) && i*64 < to; i++ {
		word := l.starts[i]
		if i == from/64 {
			word &= ^uint64(0) << (from % 64)
		}
		if word != 0 {
			return min(i*64+bits.TrailingZeros64(word), to)
		}
	}
	return to
}

// stringEnd is the offset behind the NUL of the string at offset at.
func (t *strtab) stringEnd(at int) int {
	return min(t.text.nul(at)+1, t.text.end)
}

// reserve keeps the string at offset at, which dies, from being overwritten in this edit: patchelf
// leaves it filled with 'X', and who looks for that in the file shall find it.
func (t *strtab) reserve(at uint64) {
	if at == 0 || at >= uint64(t.text.size) || t.begins(int(at), int(at)+1) == int(at) {
		return
	}
	t.reserved = int(at)
	t.mark(at)
}

// free undoes reserve, but for what a string that was placed has of it.
func (t *strtab) free() {
	if t.reserved == 0 {
		return
	}
	t.starts[t.reserved/64] &^= 1 << (t.reserved % 64)
	for _, at := range t.place {
		t.mark(at)
	}
}

// sweep lists the unused runs of the frozen part, in order. A run begins behind a NUL.
func (t *strtab) sweep() []extent {
	if t.swept || t.closed {
		return t.holes
	}
	t.swept = true
	for at := 0; at < t.frozen; {
		end := t.stringEnd(at)
		if used := t.begins(at, end); used > at {
			if n := len(t.holes); n > 0 && t.holes[n-1].to == offset(at) {
				t.holes[n-1].to = offset(used)
			} else {
				t.holes = append(t.holes, extent{offset(at), offset(used)})
			}
		}
		at = end
	}
	return t.holes
}

// hole is the smallest unused run of the frozen part that holds n bytes, or none.
func (t *strtab) hole(n, none int) int {
	best, room := none, int64(-1)
	for _, h := range t.sweep() {
		if h.size() >= int64(n) && (room < 0 || h.size() < room) {
			best, room = int(h.from), h.size()
		}
	}
	return best
}

// use takes a range out of the unused runs.
func (t *strtab) use(from, to int) {
	for i := 0; i < len(t.holes); i++ {
		h := t.holes[i]
		if h.to <= offset(from) || h.from >= offset(to) {
			continue
		}
		rest := slices.DeleteFunc([]extent{{h.from, offset(from)}, {offset(to), h.to}}, func(e extent) bool { return e.from >= e.to })
		t.holes = slices.Replace(t.holes, i, i+1, rest...)
		i += len(rest) - 1
	}
}
