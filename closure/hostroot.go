//go:build linux && (amd64 || arm64 || riscv64)

package closure

import (
	"bytes"
	"encoding/binary"
	"io/fs"
	"math"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"unsafe"
)

// hostRoot is a directory of this machine as a root. It opens directories once and files by their
// names in them: os.File would bring the poller and some system calls more for each of the hundreds
// of files that a walk reads. The kernel keeps every path inside the root, links included (openat2(2),
// RESOLVE_IN_ROOT).
type hostRoot struct {
	top  int // its descriptor, closed when nobody has the root any more
	mu   sync.Mutex
	dirs map[string]hostDir // open directories by path
	maps map[hostInode]*hostMap
}

// hostDir is an open directory.
type hostDir struct {
	fd       int
	readable bool // not O_PATH, and nothing has been read of it
}

const (
	sysOpenat2    = 437 // on every machine
	oPath         = 0x200000
	resolveNoLink = 0x04
	resolveInRoot = 0x10
	atNoFollow    = 0x100
	maxOpenDirs   = 256
)

// openHost opens a directory as a root; ok is false where the kernel has no openat2 (Linux 5.6).
func openHost(dir string) (root fs.FS, ok bool) {
	top, err := syscall.Open(dir, oPath|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, false
	}
	r := &hostRoot{top: top, dirs: map[string]hostDir{}}
	fd, err := r.resolve(".", oPath|syscall.O_DIRECTORY, 0)
	if err != nil {
		_ = syscall.Close(top)
		return nil, false
	}
	r.dirs["."] = hostDir{fd: fd}
	runtime.SetFinalizer(r, (*hostRoot).close)
	return r, true
}

func (r *hostRoot) close() {
	for _, d := range r.dirs {
		_ = syscall.Close(d.fd)
	}
	for _, m := range r.maps {
		_ = syscall.Munmap(m.data)
	}
	_ = syscall.Close(r.top)
}

// resolve opens a path, links followed inside the root unless the way of resolving says else.
func (r *hostRoot) resolve(name string, flags, way int) (int, error) {
	p, err := syscall.BytePtrFromString(name)
	if err != nil {
		return -1, err
	}
	how := struct{ flags, mode, resolve uint64 }{uint64(flags | syscall.O_CLOEXEC), 0, uint64(resolveInRoot | way)}
	const tries = 32 // EAGAIN: something was renamed meanwhile
	for range tries {
		fd, _, e := syscall.Syscall6(sysOpenat2, uintptr(r.top), uintptr(unsafe.Pointer(p)),
			uintptr(unsafe.Pointer(&how)), unsafe.Sizeof(how), 0, 0)
		switch e {
		case 0:
			return int(fd), nil
		case syscall.EAGAIN, syscall.EINTR:
			continue
		}
		return -1, e
	}
	return -1, syscall.EAGAIN
}

// in calls do with a descriptor of the directory that name is in, and the last part of name.
func (r *hostRoot) in(op, name string, do func(dir int, base string) error) error {
	if !fs.ValidPath(name) {
		return &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	parent, base := path.Split(name)
	parent = path.Clean(parent)
	r.mu.Lock()
	dir, ok := r.dirs[parent]
	var err error
	if !ok {
		if dir.fd, err = r.resolve(parent, oPath|syscall.O_DIRECTORY, 0); err == nil {
			ok = r.keep(parent, dir)
		}
	}
	r.mu.Unlock()
	if err == nil {
		err = do(dir.fd, base)
		if !ok {
			_ = syscall.Close(dir.fd)
		}
	}
	runtime.KeepAlive(r)
	if err != nil {
		return &fs.PathError{Op: op, Path: name, Err: err}
	}
	return nil
}

// keep keeps a directory open, unless there are many.
func (r *hostRoot) keep(name string, dir hostDir) bool {
	if len(r.dirs) >= maxOpenDirs {
		return false
	}
	r.dirs[name] = dir
	return true
}

// enter reports whether a path leads to a directory and over no link, and keeps it open to be listed.
func (r *hostRoot) enter(name string) bool {
	fd, err := r.resolve(name, syscall.O_RDONLY|syscall.O_DIRECTORY, resolveNoLink)
	if err != nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.dirs[name]; ok || !r.keep(name, hostDir{fd, true}) {
		_ = syscall.Close(fd)
	}
	return true
}

// openDir gives a descriptor to list a directory with, and what to do with it then.
func (r *hostRoot) openDir(name string) (fd int, done func(), err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if d := r.dirs[name]; d.readable {
		r.dirs[name] = hostDir{fd: d.fd}
		return d.fd, func() {}, nil
	}
	fd, err = r.resolve(name, syscall.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		return -1, nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return fd, func() { _ = syscall.Close(fd) }, nil
}

// openFD opens a file for reading; a link is followed inside the root.
func (r *hostRoot) openFD(name string) (fd int, err error) {
	const flags = syscall.O_RDONLY | syscall.O_CLOEXEC | syscall.O_NONBLOCK | syscall.O_NOCTTY
	err = r.in("open", name, func(dir int, base string) (err error) {
		for {
			fd, err = syscall.Openat(dir, base, flags|syscall.O_NOFOLLOW, 0)
			if err != syscall.EINTR {
				break
			}
		}
		if err == syscall.ELOOP {
			fd, err = r.resolve(name, flags, 0)
		}
		return err
	})
	return fd, err
}

// Open opens a file for reading.
func (r *hostRoot) Open(name string) (fs.File, error) {
	fd, err := r.openFD(name)
	if err != nil {
		return nil, err
	}
	return &hostFile{root: r, name: name, fd: fd}, nil
}

// Lstat describes a file, a link as itself.
func (r *hostRoot) Lstat(name string) (fs.FileInfo, error) {
	info := &hostInfo{name: path.Base(name)}
	if name == "." {
		return info, syscall.Fstat(r.top, &info.st)
	}
	return info, r.in("lstat", name, func(dir int, base string) error { return lstatAt(dir, base, &info.st) })
}

// ReadLink is the target of a link.
func (r *hostRoot) ReadLink(name string) (target string, err error) {
	err = r.in("readlink", name, func(dir int, base string) error {
		target, err = readlinkAt(dir, base)
		return err
	})
	return target, err
}

// Stat describes a file, links followed.
func (r *hostRoot) Stat(name string) (fs.FileInfo, error) {
	f, err := r.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Stat()
}

// ReadDir lists a directory, sorted.
func (r *hostRoot) ReadDir(name string) ([]fs.DirEntry, error) {
	names, ok, err := r.names(name, math.MaxInt)
	if err != nil {
		return nil, err
	}
	entries := make([]fs.DirEntry, 0, len(names))
	for base, typ := range names {
		e := &hostEntry{root: r, path: path.Join(name, base), typ: typ}
		if !ok { // the file system tells no types
			info, err := e.Info()
			if err != nil {
				continue // gone meanwhile
			}
			e.typ = info.Mode().Type()
		}
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

// kind says what a name is, and where a link leads, without more. What may well be a link is read as
// one first.
func (r *hostRoot) kind(name string, maybeLink bool) (mode fs.FileMode, target string, err error) {
	var info hostInfo
	err = r.in("lstat", name, func(dir int, base string) error {
		if maybeLink {
			if target, err = readlinkAt(dir, base); err == nil {
				info.st.Mode = syscall.S_IFLNK
				return nil
			}
		}
		err := lstatAt(dir, base, &info.st)
		if err == nil && info.st.Mode&syscall.S_IFMT == syscall.S_IFLNK {
			target, err = readlinkAt(dir, base)
		}
		return err
	})
	return info.Mode().Type(), target, err
}

// names lists a directory's names and their types; ok is false where the file system does not tell
// all types, and where there are more than most.
func (r *hostRoot) names(name string, most int) (names map[string]fs.FileMode, ok bool, err error) {
	fd, done, err := r.openDir(name)
	if err != nil {
		return nil, false, err
	}
	defer done()
	names, ok = map[string]fs.FileMode{}, true
	room := hostRoom.Get().(*[maxPath]byte)
	defer hostRoom.Put(room)
	for {
		n, err := syscall.ReadDirent(fd, room[:])
		switch {
		case err == syscall.EINTR:
			continue
		case err != nil:
			return nil, false, &fs.PathError{Op: "readdir", Path: name, Err: err}
		case n == 0:
			return names, ok, nil
		}
		if ok = addDirents(names, room[:n]) && ok; len(names) > most {
			return nil, false, nil
		}
	}
}

// addDirents adds what getdents64(2) gives: inode, offset, u16 length of the entry, u8 type, name. It
// reports whether all types are told.
func addDirents(names map[string]fs.FileMode, buf []byte) bool {
	const head = 19
	all := true
	for len(buf) >= head {
		size := int(binary.NativeEndian.Uint16(buf[16:]))
		if size < head || size > len(buf) {
			return false
		}
		typ, ok := direntTypes[buf[18]]
		name, _, _ := bytes.Cut(buf[head:size], []byte{0})
		if text := string(name); text != "." && text != ".." {
			names[text] = typ
			all = all && ok
		}
		buf = buf[size:]
	}
	return all
}

var direntTypes = map[byte]fs.FileMode{
	syscall.DT_REG: 0, syscall.DT_DIR: fs.ModeDir, syscall.DT_LNK: fs.ModeSymlink, syscall.DT_FIFO: fs.ModeNamedPipe,
	syscall.DT_SOCK: fs.ModeSocket, syscall.DT_BLK: fs.ModeDevice, syscall.DT_CHR: fs.ModeDevice | fs.ModeCharDevice,
}

// lstatAt is fstatat(2) of a name in a directory, a link as itself.
func lstatAt(dir int, base string, st *syscall.Stat_t) error {
	number := uintptr(79) // asm-generic/unistd.h
	if runtime.GOARCH == "amd64" {
		number = 262
	}
	p, err := syscall.BytePtrFromString(base)
	if err != nil {
		return err
	}
	_, _, e := syscall.Syscall6(number, uintptr(dir), uintptr(unsafe.Pointer(p)), uintptr(unsafe.Pointer(st)), atNoFollow, 0, 0)
	if e != 0 {
		return e
	}
	return nil
}

// readlinkAt is readlinkat(2).
func readlinkAt(dir int, base string) (string, error) {
	p, err := syscall.BytePtrFromString(base)
	if err != nil {
		return "", err
	}
	room := hostRoom.Get().(*[maxPath]byte)
	defer hostRoom.Put(room)
	n, _, e := syscall.Syscall6(syscall.SYS_READLINKAT, uintptr(dir), uintptr(unsafe.Pointer(p)),
		uintptr(unsafe.Pointer(room)), uintptr(len(room)), 0, 0)
	if e != 0 {
		return "", e
	}
	return string(room[:n]), nil
}

// hostRoom holds what the kernel writes names into.
var hostRoom = sync.Pool{New: func() any { return new([maxPath]byte) }}
