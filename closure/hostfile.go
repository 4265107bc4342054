//go:build linux && (amd64 || arm64 || riscv64)

package closure

import (
	"io"
	"io/fs"
	"path"
	"syscall"
	"time"
)

// hostFile is an open file of the root. Its reader closes it; nothing else does.
type hostFile struct {
	root *hostRoot
	name string
	fd   int

	mapped *hostMap // once somebody has looked through the file and its description has been asked for

	listed  bool
	entries []fs.DirEntry // of a directory, those not given yet
}

func (f *hostFile) Stat() (fs.FileInfo, error) {
	info := &hostInfo{name: path.Base(f.name)}
	if err := syscall.Fstat(f.fd, &info.st); err != nil {
		return nil, &fs.PathError{Op: "stat", Path: f.name, Err: err}
	}
	f.mapped = f.root.mapping(&info.st)
	return info, nil
}

func (f *hostFile) Close() error {
	if f.fd < 0 {
		return fs.ErrClosed
	}
	f.unmapped()
	fd := f.fd
	f.fd = -1
	return syscall.Close(fd)
}

func (f *hostFile) Read(p []byte) (int, error) {
	return f.read(p, func() (int, error) { return syscall.Read(f.fd, p) })
}

func (f *hostFile) ReadAt(p []byte, off int64) (int, error) {
	if ok, err := f.readMapped(p, off); err != nil {
		return 0, err
	} else if ok {
		return len(p), nil
	}
	done := 0
	for done < len(p) {
		n, err := f.read(p[done:], func() (int, error) { return syscall.Pread(f.fd, p[done:], off+int64(done)) })
		if done += n; err != nil {
			return done, err
		}
	}
	return done, nil
}

// read does one read; the end of the file is io.EOF.
func (f *hostFile) read(p []byte, read func() (int, error)) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		n, err := read()
		switch {
		case err == syscall.EINTR:
			continue
		case f.fd < 0:
			return 0, fs.ErrClosed
		case err != nil:
			return 0, &fs.PathError{Op: "read", Path: f.name, Err: err}
		case n == 0:
			return 0, io.EOF
		}
		return n, nil
	}
}

// ReadDir lists an open directory.
func (f *hostFile) ReadDir(n int) ([]fs.DirEntry, error) {
	if !f.listed {
		var err error
		if f.entries, err = f.root.ReadDir(f.name); err != nil {
			return nil, err
		}
		f.listed = true
	}
	if n <= 0 {
		n = len(f.entries)
	} else if len(f.entries) == 0 {
		return nil, io.EOF
	}
	n = min(n, len(f.entries))
	given := f.entries[:n:n]
	f.entries = f.entries[n:]
	return given, nil
}

// hostInfo is a file's description; two of one file are known by device and inode.
type hostInfo struct {
	name string
	st   syscall.Stat_t
}

func (i *hostInfo) Name() string       { return i.name }
func (i *hostInfo) Size() int64        { return i.st.Size }
func (i *hostInfo) IsDir() bool        { return i.Mode().IsDir() }
func (i *hostInfo) Sys() any           { return &i.st }
func (i *hostInfo) ModTime() time.Time { return time.Unix(i.st.Mtim.Unix()) }

func (i *hostInfo) Mode() fs.FileMode {
	mode := fs.FileMode(i.st.Mode & 0o777)
	switch i.st.Mode & syscall.S_IFMT {
	case syscall.S_IFDIR:
		mode |= fs.ModeDir
	case syscall.S_IFLNK:
		mode |= fs.ModeSymlink
	case syscall.S_IFREG:
	case syscall.S_IFIFO:
		mode |= fs.ModeNamedPipe
	case syscall.S_IFSOCK:
		mode |= fs.ModeSocket
	case syscall.S_IFBLK:
		mode |= fs.ModeDevice
	case syscall.S_IFCHR:
		mode |= fs.ModeDevice | fs.ModeCharDevice
	default:
		mode |= fs.ModeIrregular
	}
	if i.st.Mode&syscall.S_ISUID != 0 {
		mode |= fs.ModeSetuid
	}
	if i.st.Mode&syscall.S_ISGID != 0 {
		mode |= fs.ModeSetgid
	}
	if i.st.Mode&syscall.S_ISVTX != 0 {
		mode |= fs.ModeSticky
	}
	return mode
}

func (i *hostInfo) same(other fs.FileInfo) bool {
	o, ok := other.(*hostInfo)
	return ok && i.st.Dev == o.st.Dev && i.st.Ino == o.st.Ino
}

// hostEntry is a name in a directory.
type hostEntry struct {
	root *hostRoot
	path string
	typ  fs.FileMode
}

func (e *hostEntry) Name() string               { return path.Base(e.path) }
func (e *hostEntry) IsDir() bool                { return e.typ.IsDir() }
func (e *hostEntry) Type() fs.FileMode          { return e.typ }
func (e *hostEntry) Info() (fs.FileInfo, error) { return e.root.Lstat(e.path) }
