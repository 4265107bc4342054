package elfpatch

import "io"

// DynamicStrings is where the string table of the dynamic section of the ELF file src of size bytes
// stands, which holds the names of symbols and of what the file needs: its offset and length in bytes.
// Both are 0 for a file without one. Errors are those of [Read].
func DynamicStrings(src io.ReaderAt, size int64) (off, n int64, err error) {
	f, err := open(src, size)
	if err != nil {
		return 0, 0, err
	}
	t := &f.dyn.strings
	if !t.present || !t.hasSize {
		return 0, 0, nil
	}
	n = int64(min(t.size, uint64(size)+1))
	at, err := f.offset(t.addr, n)
	if err != nil {
		return 0, 0, damage(f.dyn.off, "DT_STRTAB", err)
	}
	return int64(at), n, nil
}
