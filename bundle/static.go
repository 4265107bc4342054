package bundle

import (
	"bytes"
	"fmt"
	"io"

	"github.com/nixbundle/nixbundle/closure"
)

// dynamic reports whether a program has a loader: PT_INTERP, and not DT_NEEDED, is what decides
// (fs/binfmt_elf.c: load_elf_binary).
func (s *start) dynamic() bool { return s.library || s.program().Info.LoaderPath() != "" }

// linkage says what a program is that needs no library, for the reader: static, or not quite.
func (s *start) linkage() string {
	info := s.program().Info
	switch {
	case s.dynamic() && len(info.Needed) == 0:
		return "it needs no library, but is not static: it names a loader (PT_INTERP), which starts it"
	case s.dynamic():
		return ""
	case info.Dynamic:
		return "it is static (position-independent) and needs no loader"
	}
	return "it is static and needs no loader"
}

// warnStatic warns of static programs that open libraries of their own glibc at run time all the same:
// name services do (glibc nss/nss_module.c), and they must be of the very glibc that they were linked with.
func (p *Plan) warnStatic(starts []*start) error {
	for _, s := range starts {
		if s.dynamic() {
			continue
		}
		// What only glibc's loader and only its name services have.
		found, err := contains(s.program(), "/etc/ld.so.cache\x00", "/etc/nsswitch.conf\x00")
		if err != nil {
			return err
		}
		if found {
			p.Warnings = append(p.Warnings, fmt.Sprintf("%s: static, but it looks up users or hosts: what the target's /etc/nsswitch.conf "+
				"names it opens as libraries, and those must be of the glibc that it was linked with", s.asked))
		}
	}
	return nil
}

// contains reports whether a file holds all texts. It is read piece by piece.
func contains(o *closure.Object, texts ...string) (bool, error) {
	f, err := o.Open()
	if err != nil {
		return false, err
	}
	defer f.Close()
	const piece, overlap = 1 << 20, 64 // longer than any of the texts
	missing := len(texts)
	found := make([]bool, len(texts))
	buf := make([]byte, piece)
	for off := int64(0); off < o.Size && missing > 0; off += piece - overlap {
		n, err := f.ReadAt(buf, off)
		if err != nil && err != io.EOF {
			return false, fmt.Errorf("%s: %w", o.Path, err)
		}
		for i, text := range texts {
			if !found[i] && bytes.Contains(buf[:n], []byte(text)) {
				found[i] = true
				missing--
			}
		}
	}
	return missing == 0, nil
}
