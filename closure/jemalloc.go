package closure

import (
	"bytes"
	"fmt"
	"path"
	"slices"
)

// jemalloc finds jemalloc, which is compiled for one page size and stops on a larger one:
// "<jemalloc>: Unsupported system page size" (jemalloc src/pages.c: pages_boot). The size stands in
// its code only, so that this is a doubt and no more.
func (a *audit) jemalloc() error {
	known := a.on.PageSizes != nil
	if !known && pageSizesOf(a.m.Program().Object.Info.Machine) == nil || known && slices.Max(a.on.PageSizes) <= 4096 || a.bindings == nil {
		return nil
	}
	for _, o := range a.bindings.objects {
		if len(o.imports([]string{"madvise", "sysconf"})) < 2 {
			continue // as it would
		}
		is, err := holds(o.loaded.Object, "<jemalloc>")
		if err != nil {
			return err
		}
		if !is {
			continue
		}
		f := Finding{
			Kind: KindPageSize, Severity: Note, Name: base(o.loaded),
			Copies: []Copy{{Object: o.loaded.Object, Path: o.loaded.Path, Kept: true, Chains: chainOf(o.loaded)}},
			What: fmt.Sprintf("%s has jemalloc inside, which is compiled for one page size and stops where pages are larger: "+
				"for which, the file does not say", base(o.loaded)),
			Advice: "build jemalloc with --with-lg-page=16, which does for pages up to 64 KiB, and try it there",
		}
		if known {
			f.Severity = Warning
		}
		a.add(f)
	}
	return nil
}

// base is an object's file name, as sentences call it.
func base(l *Loaded) string { return path.Base(l.Path) }

// holds reports whether a file has some text in it.
func holds(o *Object, text string) (bool, error) {
	f, err := o.Open()
	if err != nil {
		return false, err
	}
	defer f.Close()
	const chunk = 1 << 20
	buf := make([]byte, min(chunk, o.Size))
	for off := int64(0); off+int64(len(text)) <= o.Size; off += int64(len(buf) - len(text) + 1) {
		n, err := f.ReadAt(buf[:min(int64(len(buf)), o.Size-off)], off)
		if bytes.Contains(buf[:n], []byte(text)) {
			return true, nil
		}
		if int64(n) < min(int64(len(buf)), o.Size-off) {
			return false, err
		}
	}
	return false, nil
}
