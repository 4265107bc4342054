package closure

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"syscall"
)

// Programs gives the programs that a name stands for, as absolute paths inside the root, ready for
// [Walk]: a file is itself; a link from outside the store, such as result, is followed into it; a
// folder, such as a store path, stands for every executable file below its bin/, hidden ones left
// out. Links inside the store are kept, since a program may look at the name it is started by. What is not
// there, or a folder without programs, is a [*ProgramError].
func Programs(root fs.FS, name string, opts Options) ([]string, error) {
	w := &walker{objects: objects{tree: newTree(root)}, opts: opts}
	at, err := w.enterStore(path.Join("/", name), opts.storeDir())
	if err != nil {
		return nil, w.unreachable(name, err)
	}
	n, err := w.walk(at)
	switch {
	case err != nil:
		return nil, w.unreachable(name, err)
	case !n.mode.IsDir():
		return []string{at}, nil
	}
	bin, err := w.walk(path.Join(n.abs(), "bin"))
	if err != nil || !bin.mode.IsDir() {
		return nil, &ProgramError{Path: name, Why: "is a folder without programs in bin/", What: "name a program file"}
	}
	programs, err := w.executables(bin)
	if err == nil && len(programs) == 0 {
		err = &ProgramError{Path: name, Why: "has no programs in bin/", What: "name a program file"}
	}
	return programs, err
}

// ReadObject reads the ELF file of that name, inside the root, of any type. What is none is a
// [*ProgramError].
func ReadObject(root fs.FS, name string) (*Object, error) {
	w := newWalker(root, Options{})
	name = path.Join("/", name)
	n, err := w.programNode(name)
	if err != nil {
		return nil, err
	}
	object, err := w.object(n)
	if err != nil {
		return nil, w.notProgram(name, err)
	}
	return object, nil
}

// enterStore resolves the folder of a path and, where its last component is a link outside the
// store that leads into it, follows that. Any other link keeps its name.
func (t *tree) enterStore(at, storeDir string) (string, error) {
	named := ""
	for range maxLinks {
		dir, err := t.walk(path.Dir(at))
		switch {
		case err != nil:
			return "", err
		case at == "/":
			return at, nil
		case !dir.mode.IsDir():
			return "", syscall.ENOTDIR
		}
		at = path.Join(dir.abs(), path.Base(at))
		if named == "" {
			named = at
		}
		kid, err := t.kid(dir, path.Base(at))
		switch {
		case err != nil:
			return "", err
		case strings.HasPrefix(at, storeDir+"/"):
			return at, nil
		case kid.mode&fs.ModeSymlink == 0:
			return named, nil
		}
		if at = kid.target; !path.IsAbs(at) {
			at = path.Join(dir.abs(), kid.target)
		}
	}
	return "", syscall.ELOOP
}

// executables lists the executable files below a folder, sorted. A link counts as what it leads to,
// and one that dangles is no program.
func (t *tree) executables(dir *node) ([]string, error) {
	entries, err := fs.ReadDir(t.fsys, dir.path)
	if err != nil {
		return nil, err
	}
	var list []string
	for _, e := range entries {
		at := path.Join(dir.abs(), e.Name())
		n, err := t.walk(at)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, &ProgramError{Path: at, Why: err.Error(), Err: err}
		}
		if err != nil || strings.HasPrefix(e.Name(), ".") {
			continue // a hidden file is what a wrapper starts
		}
		if e.IsDir() {
			below, err := t.executables(n)
			if err != nil {
				return nil, err
			}
			list = append(list, below...)
			continue
		}
		st, err := fs.Lstat(t.fsys, n.path)
		if err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
			list = append(list, at)
		}
	}
	slices.Sort(list)
	return list, nil
}
