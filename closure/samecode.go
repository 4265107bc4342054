package closure

import (
	"debug/elf"

	"github.com/nixbundle/nixbundle/elfpatch"
)

// Libraries of one source often have the same code compiled into each, and nobody minds whose is
// called. Nothing in a file names its source, so the code itself is compared.

// twin is a strong definition that a reference was linked with, and the one that it reaches.
type twin struct{ wanted, taken elfpatch.Symbol }

const (
	maxTwins = 64   // how many of a pair are compared
	maxCode  = 4096 // and how many bytes of each
)

// sameCode counts the functions of a pair that are the same code, and all that were looked at.
func (r *rebound) sameCode() (same, all int, err error) {
	wanted, err := r.wanted.Object.Open()
	if err != nil {
		return 0, 0, err
	}
	defer wanted.Close()
	taken, err := r.taken.Object.Open()
	if err != nil {
		return 0, 0, err
	}
	defer taken.Close()
	step := max(1, len(r.twins)/maxTwins)
	for i := 0; i < len(r.twins); i += step {
		t := &r.twins[i]
		if t.wanted.Type != elf.STT_FUNC {
			continue // equal sizes of data say little
		}
		all++
		a, b := codeOf(r.wanted.Object, wanted, &t.wanted), codeOf(r.taken.Object, taken, &t.taken)
		if likeCode(a, b) {
			same++
		}
	}
	return same, all, nil
}

// codeOf reads the bytes of a function; nil where they are not in the file.
func codeOf(o *Object, f File, s *elfpatch.Symbol) []byte {
	at := s.Value
	if o.Info.Machine == elf.EM_ARM {
		at &^= 1 // Thumb
	}
	for _, p := range o.Info.Segments {
		if p.Type != elf.PT_LOAD || at < p.Vaddr || at-p.Vaddr >= p.Filesz || s.Size > p.Filesz-(at-p.Vaddr) {
			continue
		}
		code := make([]byte, min(s.Size, maxCode))
		if n, _ := f.ReadAt(code, int64(p.Off+at-p.Vaddr)); n < len(code) {
			return nil
		}
		return code
	}
	return nil
}

// likeCode reports whether two functions are as long and differ in less than half of their bytes:
// in the distances to what they call.
func likeCode(a, b []byte) bool {
	if len(a) == 0 || len(a) != len(b) {
		return false
	}
	differ := 0
	for i := range a {
		if a[i] != b[i] {
			differ++
		}
	}
	return 2*differ < len(a)
}
