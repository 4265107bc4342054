package cmd

import (
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch"
)

// errStatic and errNoInterp are what patchelf says of a file without what is asked about.
var (
	errStatic   = errors.New("cannot find section '.dynamic'. The input file is most likely statically linked")
	errNoInterp = errors.New("cannot find section '.interp'. The input file is most likely statically linked")
)

// print prints what is asked about a file, as it is before any edit.
func (p *patchelf) print(info *elfpatch.Info) error {
	if p.given("--print-interpreter") {
		if info.Interp == "" {
			return errNoInterp
		}
		fmt.Fprintln(p.Stdout, info.Interp)
	}
	if p.given("--print-os-abi") {
		fmt.Fprintln(p.Stdout, osABIName(info.OSABI))
	}
	needsDynamic := p.given("--print-soname") && info.Type != elf.ET_EXEC || p.given("--print-rpath") || p.given("--print-needed")
	if needsDynamic && !info.Dynamic && !p.idle {
		return errStatic
	}
	if p.given("--print-soname") && info.Soname != "" && info.Type != elf.ET_EXEC {
		fmt.Fprintln(p.Stdout, info.Soname)
	}
	if p.given("--print-rpath") && info.Dynamic {
		list, _ := info.SearchList()
		fmt.Fprintln(p.Stdout, list)
	}
	if p.given("--print-execstack") {
		fmt.Fprintln(p.Stdout, "execstack: "+execStack(info))
	}
	if p.given("--print-needed") {
		for _, name := range info.Needed {
			fmt.Fprintln(p.Stdout, name)
		}
	}
	return nil
}

func execStack(info *elfpatch.Info) string {
	switch present, executable := info.Stack(); {
	case !present:
		return "?"
	case executable:
		return "X"
	}
	return "-"
}

// editOf is what the flags ask of one file. What patchelf leaves alone without a word is left alone:
// the soname of a file that is linked to fixed addresses, a list that is not there to be shrunk or
// emptied, and a dynamic section that no loader reads.
func (p *patchelf) editOf(info *elfpatch.Info) (elfpatch.Edit, error) {
	e := p.edit
	if info.Type == elf.ET_EXEC {
		e.Soname = ""
	}
	if e.Interp != "" && info.Interp == "" {
		return e, errNoInterp
	}
	switch {
	case p.given("--print-execstack"):
	case p.given("--clear-execstack"):
		e.ExecStack = new(bool)
	case p.given("--set-execstack"):
		e.ExecStack = new(true)
	}
	if err := p.runPath(&e, info); err != nil {
		return e, err
	}
	if p.given("--build-resolution-cache") {
		var err error
		if e.Cache, err = p.cache(&e, info); err != nil {
			return e, err
		}
	}
	if !info.Dynamic && editsDynamic(&e, p.given("--remove-rpath")) {
		if !p.idle {
			return e, errStatic
		}
		e = elfpatch.Edit{OSABI: e.OSABI, Interp: e.Interp, ExecStack: e.ExecStack}
	}
	return e, nil
}

// cache is the resolution cache of the edited file. A note that is there and is another is refused, as
// patchelf does: who made it may know more.
func (p *patchelf) cache(e *elfpatch.Edit, info *elfpatch.Info) (string, error) {
	after := e.Applied(info)
	_, listed := after.SearchList()
	cache, why := "", "no DT_NEEDED entries or run path"
	if listed && len(after.Needed) > 0 {
		root, err := closure.OpenRoot("/")
		if err != nil {
			return "", err
		}
		cache, err = closure.ResolutionCache(root, after)
		if err != nil {
			return "", upstreamError(err)
		}
		why = "no needed library is found by the run path"
	}
	dropped := info.Cache() != "" && after.Cache() == ""
	if p.cached && !dropped && (cache == "" || after.Cache() != cache) {
		return "", errors.New("--build-resolution-cache: a resolution cache note is already present; rebuild from an unpatched binary")
	}
	if cache == "" {
		fprintf(p.Stderr, "patchelf: warning: --build-resolution-cache: %s\n", why)
	}
	return cache, nil
}

// editsDynamic reports whether an edit is about the dynamic section and what it leads to.
func editsDynamic(e *elfpatch.Edit, removes bool) bool {
	return removes || e.Soname != "" || e.RunPath != "" || e.AddRunPath != "" || e.EmptyRunPath || e.NoDefaultLib || e.DebugTag ||
		len(e.AddNeeded)+len(e.RemoveNeeded)+len(e.ReplaceNeeded)+len(e.ClearVersions)+len(e.RenameSymbols) > 0
}

// runPath adds the edit of the search list: one of four, in this order.
func (p *patchelf) runPath(e *elfpatch.Edit, info *elfpatch.Info) error {
	e.RPath = p.given("--force-rpath")
	switch {
	case p.given("--shrink-rpath"):
		if _, present := info.SearchList(); !present {
			return nil
		}
		root, err := closure.OpenRoot("/")
		if err != nil {
			return err
		}
		e.RunPath, err = closure.ShrinkRunPath(root, info, p.allow)
		if err != nil {
			return upstreamError(err)
		}
		e.EmptyRunPath = e.RunPath == ""
	case p.given("--remove-rpath"):
		e.RemoveRunPath = true
	case p.given("--set-rpath"):
		e.RunPath, e.EmptyRunPath = p.path, p.path == ""
	case p.given("--add-rpath"):
		e.AddRunPath = p.path
	}
	return nil
}

// upstreamWords are patchelf's words for defects that elfpatch has other words for.
var upstreamWords = []struct{ ours, theirs string }{
	{"string offset outside DT_STRSZ", "string table index out of bounds"},
	{"program header table lies outside the file", "program header table out of bounds"},
	{"ELF header lies outside the file", "missing ELF header"},
	{"string does not end in NUL", "string table is not NUL-terminated"},
	{"does not end in DT_NULL", "setSubstr: write extends past end of section"},
}

// upstreamError says an error of elfpatch or of the system in patchelf's words where it has some.
func upstreamError(err error) error {
	var format *elfpatch.FormatError
	var file *fs.PathError
	switch {
	case errors.Is(err, elfpatch.ErrNotELF):
		return errors.New("not an ELF executable")
	case errors.Is(err, elfpatch.ErrNotDynamic):
		return errStatic
	case errors.As(err, &format):
		for _, w := range upstreamWords {
			if strings.Contains(format.Msg, w.ours) {
				return fmt.Errorf("%s: %w", w.theirs, err)
			}
		}
	case errors.As(err, &file):
		return about(file.Op, file.Path, err)
	}
	return err
}

// about is an error about a file, with the system's text as C programs have it.
func about(doing, name string, err error) error {
	text := err.Error()
	var file *fs.PathError
	if errors.As(err, &file) {
		text = file.Err.Error()
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		text = errno.Error()
		text = strings.ToUpper(text[:1]) + text[1:]
	}
	return fmt.Errorf("%s '%s': %s", doing, name, text)
}
