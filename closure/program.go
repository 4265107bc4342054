package closure

import (
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/nixbundle/nixbundle/elfpatch"
)

// ProgramError says why a file is no program to walk from.
type ProgramError struct {
	Path string
	Why  string // what is wrong
	What string // what to do; "" when there is nothing to say
	Err  error  // what it comes from, such as fs.ErrNotExist or elfpatch.ErrNotELF; may be nil
}

func (e *ProgramError) Error() string { return e.Path + ": " + e.Why }

// Unwrap gives the cause.
func (e *ProgramError) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *ProgramError) Hint() string { return e.What }

// program opens a program by its real path, as the kernel does: ld.so takes $ORIGIN from
// /proc/self/exe.
func (w *walker) program(path string) (*Object, error) {
	n, err := w.programNode(path)
	if err != nil {
		return nil, err
	}
	object, err := w.object(n)
	if err != nil {
		return nil, w.notProgram(path, err)
	}
	return object, executable(path, object.Info)
}

func (w *walker) programNode(path string) (*node, error) {
	if path == "" || path[0] != '/' {
		return nil, &ProgramError{Path: path, Why: "not an absolute path"}
	}
	n, err := w.walk(path)
	if err != nil {
		return nil, w.unreachable(path, err)
	}
	if n.mode.IsDir() {
		return nil, &ProgramError{Path: path, Why: "is a folder", What: "name a program in it, such as " + path + "/bin/NAME"}
	}
	if !n.mode.IsRegular() {
		return nil, &ProgramError{Path: path, Why: "is not a regular file", Err: errNotRegular}
	}
	return n, nil
}

// unreachable says why a path leads nowhere, and where a link that dangles points.
func (w *walker) unreachable(path string, err error) error {
	e := &ProgramError{Path: path, Err: err}
	switch {
	case !utf8.ValidString(path):
		e.Why, e.What = "its path is not UTF-8, which is not supported", "rename it"
	case errors.Is(err, fs.ErrNotExist):
		e.Why = "no such file"
		if target, ok := w.dangling(path); ok {
			e.Why = "dangling link: it points to " + target
		}
	case errors.Is(err, fs.ErrPermission):
		e.Why = "permission denied"
	case errors.Is(err, syscall.ELOOP):
		e.Why = "too many levels of symbolic links"
	case errors.Is(err, syscall.ENOTDIR):
		e.Why = "a part of the path is not a folder"
	case errors.Is(err, syscall.ENAMETOOLONG):
		e.Why = "name too long"
	default:
		e.Why = err.Error()
	}
	return e
}

// dangling says where the link at a path points.
func (w *walker) dangling(path string) (target string, ok bool) {
	dir, err := w.walk(origin(path))
	if err != nil || !dir.mode.IsDir() {
		return "", false
	}
	k, err := w.kid(dir, path[strings.LastIndexByte(path, '/')+1:])
	if err != nil || k.mode&fs.ModeSymlink == 0 {
		return "", false
	}
	return k.target, true
}

// notProgram says what a file is that elfpatch cannot read.
func (w *walker) notProgram(path string, err error) error {
	e := &ProgramError{Path: path, Why: err.Error(), Err: err}
	var u *unreadable
	switch {
	case errors.Is(err, fs.ErrPermission):
		e.Why = "permission denied"
	case !errors.As(err, &u):
	case len(u.head) == 0:
		e.Why = "is empty"
	case strings.HasPrefix(string(u.head), "#!"):
		e.Why, e.What = "is a script", "name the ELF program that it starts"
	case errors.Is(err, elfpatch.ErrNotELF):
		e.Why = "not an ELF file"
	}
	return e
}

// executable says what an ELF file is that no process can start from.
func executable(path string, info *elfpatch.Info) error {
	e := &ProgramError{Path: path}
	switch info.Type {
	case elf.ET_EXEC, elf.ET_DYN:
		return nil
	case elf.ET_CORE:
		e.Why, e.What = "is a core dump", "name the program that dumped it"
	case elf.ET_REL:
		e.Why, e.What = "is an object file", "link it first"
	default:
		e.Why = fmt.Sprintf("is neither a program nor a library (%v)", info.Type)
	}
	return e
}
