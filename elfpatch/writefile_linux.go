package elfpatch

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

func hasOtherNames(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && st.Nlink > 1
}

// giveOwner gives f the owner of like.
func giveOwner(f *os.File, like fs.FileInfo) error {
	st, ok := like.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	own, err := f.Stat()
	if err != nil {
		return err
	}
	if is, ok := own.Sys().(*syscall.Stat_t); ok && is.Uid == st.Uid && is.Gid == st.Gid {
		return nil
	}
	return f.Chown(int(st.Uid), int(st.Gid))
}

// nextData is the next range of f from at on that is no hole, up to end (lseek(2), SEEK_DATA).
func nextData(f *os.File, at, end int64) (from, to int64, err error) {
	const seekData, seekHole = 3, 4
	from, err = f.Seek(at, seekData)
	switch {
	case errors.Is(err, syscall.ENXIO):
		return end, end, nil // nothing but a hole
	case err != nil: // this file system knows no holes
		return at, end, nil
	}
	to, err = f.Seek(from, seekHole)
	if err != nil {
		to = end
	}
	return min(from, end), min(to, end), nil
}

// copyAttributes copies the extended attributes: capabilities, access lists, and what users put there.
func copyAttributes(src, out *os.File) error {
	from, to := src.Name(), out.Name()
	names, err := attribute(func(b []byte) (int, error) { return syscall.Listxattr(from, b) })
	if errors.Is(err, syscall.ENOTSUP) {
		return nil
	}
	if err != nil {
		return &fs.PathError{Op: "list attributes of", Path: src.Name(), Err: err}
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(names), "\x00"), "\x00") {
		if name == "" || name == "security.selinux" { // the system labels new files
			continue
		}
		value, err := attribute(func(b []byte) (int, error) { return syscall.Getxattr(from, name, b) })
		if err == nil {
			err = syscall.Setxattr(to, name, value, 0)
		}
		if err != nil {
			return &fs.PathError{Op: "keep attribute " + name + " of", Path: src.Name(), Err: err}
		}
	}
	return nil
}

// attribute reads what get fills a buffer with, whatever its size.
func attribute(get func([]byte) (int, error)) ([]byte, error) {
	b := make([]byte, 1<<10)
	for {
		n, err := get(b)
		switch {
		case err == nil:
			return b[:n], nil
		case !errors.Is(err, syscall.ERANGE):
			return nil, err
		}
		b = make([]byte, 4*len(b)) // the kernel gives up at 64 KiB (XATTR_SIZE_MAX)
	}
}
