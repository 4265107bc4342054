package cmd

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nixbundle/nixbundle/elfpatch"
)

// The verb patchelf is another program's command line: its flags, its output, its exit status 1 for
// every error, and its way to speak. What it does to files is not: that is elfpatch's.

// patchelfVersion is the patchelf whose flags these are; who parses its --version finds it there.
const patchelfVersion = "0.19.0"

// patchelf is one run.
type patchelf struct {
	World
	flags  []string // those given that take no value
	files  []string
	output string // --output, where given
	debug  bool
	path   string // the value of --set-rpath or --add-rpath
	allow  []string
	edit   elfpatch.Edit // all but the run path

	idle, cached bool // the file at hand has a dynamic section that no loader reads; it has a resolution cache
}

// isPatchelf reports whether the program was called by patchelf's name.
func isPatchelf(args []string) bool {
	return len(args) > 0 && strings.TrimSuffix(filepath.Base(args[0]), ".exe") == "patchelf"
}

// errSpoken ends a verb that has spoken for itself: exit status 1 and no more words.
var errSpoken = errors.New("spoken")

func (a *app) patchelfCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "patchelf FLAGS FILE...",
		Short: "Edit what the loader reads in ELF files, with patchelf's flags",
		Long: `Print and edit what the loader reads in ELF files: interpreter, soname, run path, needed
libraries, symbol versions and names. The flags, the output and the exit status (0 done, 1 failed)
are those of patchelf, and so it is when the program is called patchelf. See nixbundle patchelf
--help.

All edits of a file are one plan. What it needs room for goes where there is room, so that most
files do not grow; nothing else moves, what strip and debuggers read stays true, and the result is
checked before it takes the place of the file in one step. A file that an edit leaves as it is is
not touched.`,
		Example:            "  nixbundle patchelf --set-rpath '$ORIGIN/../lib' --replace-needed liba.so.1 liba.so.2 ./sensor",
		DisableFlagParsing: true,
		RunE: func(c *cobra.Command, args []string) error {
			return a.runPatchelf(c.Context(), "nixbundle patchelf", args)
		},
	}
}

// runPatchelf runs a command line of patchelf's; name is what it was called by.
func (a *app) runPatchelf(ctx context.Context, name string, args []string) error {
	a.collect(800)
	p := &patchelf{World: a.World, debug: a.Getenv("PATCHELF_DEBUG") != ""}
	if isPatchelf(a.Args) {
		p.edit.Trailer = elfpatch.TrailerBefore
	}
	if len(args) == 0 {
		p.help(name)
		return errSpoken
	}
	done, err := p.parse(name, args)
	if err != nil || done {
		return p.speak(err)
	}
	ctx, stop := interruptible(ctx)
	defer stop()
	for _, file := range p.files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if p.debug {
			fprintf(p.Stderr, "patching ELF file '%s'\n", file)
		}
		if err := p.patch(file); err != nil {
			if len(p.files) > 1 {
				err = fmt.Errorf("%s: %w", file, err)
			}
			return p.speak(err)
		}
	}
	return nil
}

// speak says an error as patchelf does.
func (p *patchelf) speak(err error) error {
	if err == nil {
		return nil
	}
	fprintf(p.Stderr, "patchelf: %s\n", err)
	return errSpoken
}

// given reports whether a flag without a value was given.
func (p *patchelf) given(name string) bool {
	return slices.Contains(p.flags, name)
}

// value is the value of a flag: that of "@file" is what the file holds.
func value(s string) (string, error) {
	name, ok := strings.CutPrefix(s, "@")
	if !ok {
		return s, nil
	}
	if _, err := os.Stat(name); err != nil {
		return "", about("getting info about", name, err)
	}
	f, err := os.Open(name)
	if err != nil {
		return "", about("opening", name, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxValue+1))
	if err != nil {
		return "", about("reading", name, err)
	}
	if len(b) > maxValue {
		return "", fmt.Errorf("the value in '%s' has more than %d bytes", name, maxValue)
	}
	return string(b), nil
}

// maxValue bounds what is read of "@file", bytes.
const maxValue = 1 << 20

// openInput opens a file for reading, with its size.
func openInput(name string) (*os.File, int64, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, 0, about("getting info about", name, err)
	}
	if !info.Mode().IsRegular() { // opening a pipe would wait
		return nil, 0, about("opening", name, errors.New("not a regular file"))
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, about("opening", name, err)
	}
	return f, info.Size(), nil
}

// patch prints what is asked of one file and edits it.
func (p *patchelf) patch(name string) error {
	f, size, err := openInput(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := p.read(f, size)
	if err != nil {
		return err
	}
	if err := p.print(info); err != nil {
		return err
	}
	edit, err := p.editOf(info)
	if err != nil {
		return err
	}
	img, err := elfpatch.Apply(f, size, edit)
	if err != nil {
		return upstreamError(err)
	}
	err = elfpatch.WriteFile(f, img, elfpatch.WriteOptions{Output: p.output, InPlace: p.given("--in-place")})
	if err != nil {
		return upstreamError(err)
	}
	return nil
}

// smallestHeader is the size of the ELF header of a 32-bit file, bytes: patchelf asks no less of a file
// before it looks for the magic number.
const smallestHeader = 52

// read reads what a file says, and refuses what patchelf refuses.
func (p *patchelf) read(f *os.File, size int64) (*elfpatch.Info, error) {
	if size < smallestHeader {
		return nil, errors.New("missing ELF header")
	}
	info, err := elfpatch.Read(f, size)
	if err != nil {
		return nil, upstreamError(err)
	}
	if info.Type != elf.ET_EXEC && info.Type != elf.ET_DYN {
		return nil, errors.New("wrong ELF type")
	}
	sections, err := elfpatch.ReadSections(f, size)
	if err != nil {
		return nil, upstreamError(err)
	}
	p.idle = p.isIdle(info, sections)
	p.cached = false
	for i, section := range sections {
		p.cached = p.cached || section.Name == ".note.nixos.ldcache"
		if i > 0 && section.Name == "" && section.Type != elf.SHT_NULL {
			fprintf(p.Stderr, "patchelf: warning: section header %d refers to an unnamed section\n", i)
		}
	}
	return info, nil
}

// isIdle reports whether a file has a dynamic section that no loader reads: one that was left out of
// a separate debug file, or one without PT_DYNAMIC.
func (p *patchelf) isIdle(info *elfpatch.Info, sections []elfpatch.Section) bool {
	if info.Dynamic {
		return false
	}
	left := slices.ContainsFunc(info.Segments, func(s elfpatch.Segment) bool { return s.Type == elf.PT_DYNAMIC })
	alone := slices.ContainsFunc(sections, func(s elfpatch.Section) bool { return s.Type == elf.SHT_DYNAMIC })
	if alone && !left {
		fprintf(p.Stderr, "patchelf: warning: there is no PT_DYNAMIC, so no loader reads the section .dynamic: it is left alone\n")
	}
	return left || alone
}
