package cmd

import (
	"bufio"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/nixbundle/nixbundle/elfpatch"
)

// patchelfFlag is one flag: how many values it takes, and what it does; one without take is noted.
type patchelfFlag struct {
	name, values, help string
	literal            bool // "@file" is no file
	take               func(*patchelf, []string) error
}

// patchelfFlags are patchelf's flags, in the order of its help.
var patchelfFlags = []patchelfFlag{
	{name: "--set-interpreter", values: "FILENAME", take: func(p *patchelf, v []string) error { p.edit.Interp = v[0]; return nil }},
	{name: "--interpreter", values: "FILENAME", take: func(p *patchelf, v []string) error { p.edit.Interp = v[0]; return nil }},
	{name: "--print-interpreter"},
	{name: "--page-size", values: "SIZE", help: "accepted; the pages of the file itself decide", literal: true, take: takePageSize},
	{name: "--print-os-abi"},
	{name: "--set-os-abi", values: "ABI", take: takeOSABI},
	{name: "--print-soname", help: "prints nothing where there is none"},
	{name: "--set-soname", values: "SONAME", take: func(p *patchelf, v []string) error { p.edit.Soname = v[0]; return nil }},
	{name: "--set-rpath", values: "RPATH", take: takeRPath("--set-rpath")},
	{name: "--add-rpath", values: "RPATH", help: "entries that are there are not added", take: takeRPath("--add-rpath")},
	{name: "--remove-rpath"},
	{name: "--shrink-rpath", help: "keeps the directories that find a needed library"},
	{name: "--allowed-rpath-prefixes", values: "PREFIXES", help: "with --shrink-rpath: keeps those that begin so", literal: true,
		take: func(p *patchelf, v []string) error { p.allow = strings.Split(v[0], ":"); return nil }},
	{name: "--print-rpath"},
	{name: "--force-rpath", help: "the list becomes DT_RPATH, not DT_RUNPATH"},
	{name: "--add-needed", values: "LIBRARY", take: func(p *patchelf, v []string) error {
		p.edit.AddNeeded = append(p.edit.AddNeeded, v[0])
		return nil
	}},
	{name: "--remove-needed", values: "LIBRARY", take: func(p *patchelf, v []string) error {
		p.edit.RemoveNeeded = append(p.edit.RemoveNeeded, v[0])
		return nil
	}},
	{name: "--replace-needed", values: "LIBRARY NEW_LIBRARY", literal: true, take: func(p *patchelf, v []string) error {
		p.edit.ReplaceNeeded = with(p.edit.ReplaceNeeded, v[0], v[1])
		return nil
	}},
	{name: "--print-needed"},
	{name: "--no-default-lib", take: func(p *patchelf, _ []string) error { p.edit.NoDefaultLib = true; return nil }},
	{name: "--no-sort", help: "accepted; nothing is sorted"},
	{name: "--clear-symbol-version", values: "SYMBOL", take: func(p *patchelf, v []string) error {
		p.edit.ClearVersions = append(p.edit.ClearVersions, v[0])
		return nil
	}},
	{name: "--add-debug-tag", take: func(p *patchelf, _ []string) error { p.edit.DebugTag = true; return nil }},
	{name: "--build-resolution-cache", help: "notes where the needed libraries are, for a loader that reads it"},
	{name: "--print-execstack"},
	{name: "--clear-execstack"},
	{name: "--set-execstack"},
	{name: "--rename-dynamic-symbols", values: "NAME_MAP_FILE", help: "a file of lines `old new`", literal: true, take: takeSymbolMap},
	{name: "--no-clobber-old-sections", help: "accepted"},
	{name: "--output", values: "FILE", take: func(p *patchelf, v []string) error { p.output = v[0]; return nil }},
	{name: "--trailer", values: "WHAT", help: "of bytes behind the ELF image when it grows: refuse, keep-at-end, before", literal: true,
		take: takeTrailer},
	{name: "--in-place", help: "writes the ranges that change into the file itself"},
	{name: "--debug", take: func(p *patchelf, _ []string) error { p.debug = true; return nil }},
	{name: "--version"},
}

// help prints the flags on standard error, as patchelf does.
func (p *patchelf) help(name string) {
	fprintf(p.Stderr, "syntax: %s\n", name)
	for _, f := range patchelfFlags {
		if f.name == "--interpreter" {
			continue
		}
		usage := "[" + strings.TrimSpace(f.name+" "+f.values) + "]"
		if f.help != "" {
			usage = fmt.Sprintf("%-44s %s", usage, f.help)
		}
		fprintf(p.Stderr, "  %s\n", usage)
	}
	fprintf(p.Stderr, "  FILENAME...\n\nThe flags but --in-place and --trailer are those of patchelf %s; a value @FILE is what that file holds.\n", patchelfVersion)
}

// parse reads the command line; done says that it asked for help or the version. What is no flag is
// the name of a file, whatever it begins with.
func (p *patchelf) parse(name string, args []string) (done bool, err error) {
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		if arg == "--help" || arg == "-h" {
			p.help(name)
			return true, nil
		}
		if arg == "--version" {
			fprintf(p.Stdout, "patchelf %s (nixbundle %s)\n", patchelfVersion, version())
			return true, nil
		}
		if args, err = p.take(arg, args); err != nil {
			return false, err
		}
	}
	return false, p.check()
}

// take takes one word and what belongs to it, and gives the rest.
func (p *patchelf) take(arg string, rest []string) ([]string, error) {
	for _, f := range patchelfFlags {
		if f.name != arg {
			continue
		}
		values := len(strings.Fields(f.values))
		switch {
		case values > len(rest) && values > 1:
			return nil, errors.New("missing argument(s)")
		case values > len(rest):
			return nil, errors.New("missing argument")
		case f.take == nil:
			p.flags = append(p.flags, arg)
			return rest, nil
		}
		given := append([]string(nil), rest[:values]...)
		for i := range given {
			var err error
			if !f.literal {
				given[i], err = value(given[i])
			}
			if err != nil {
				return nil, err
			}
		}
		return rest[values:], f.take(p, given)
	}
	p.files = append(p.files, arg)
	return rest, nil
}

// check refuses what patchelf refuses.
func (p *patchelf) check() error {
	switch {
	case len(p.files) == 0:
		return errors.New("missing filename")
	case p.given("--force-rpath") && p.given("--build-resolution-cache"):
		return errors.New("--build-resolution-cache cannot be combined with --force-rpath")
	case p.output != "" && len(p.files) != 1:
		return errors.New("--output option only allowed with single input file")
	case p.given("--set-rpath") && p.given("--add-rpath"):
		return errors.New("--set-rpath option not allowed with --add-rpath")
	}
	return nil
}

func takeRPath(flag string) func(*patchelf, []string) error {
	return func(p *patchelf, v []string) error {
		p.flags, p.path = append(p.flags, flag), v[0]
		return nil
	}
}

// takeTrailer reads what becomes of a payload. Under patchelf's own name the default is what patchelf
// does: it stays where it is, before what is added.
func takeTrailer(p *patchelf, v []string) error {
	for i, name := range []string{"refuse", "keep-at-end", "before"} {
		if v[0] == name {
			p.edit.Trailer = elfpatch.Trailer(i)
			return nil
		}
	}
	return errors.New("invalid argument to --trailer")
}

// takePageSize reads the number at the start of the value, as atoi does.
func takePageSize(_ *patchelf, v []string) error {
	digits := strings.TrimLeft(v[0], " \t")
	end := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' })
	if end >= 0 {
		digits = digits[:end]
	}
	if n, err := strconv.Atoi(digits); err != nil || n <= 0 {
		return errors.New("invalid argument to --page-size")
	}
	return nil
}

// osABIs are the names of EI_OSABI that are printed and taken; the others are taken too.
var osABIs = []struct {
	abi    elf.OSABI
	name   string
	others []string
}{
	{elf.ELFOSABI_NONE, "System V", []string{"system-v", "sysv"}},
	{elf.ELFOSABI_HPUX, "HP-UX", nil},
	{elf.ELFOSABI_NETBSD, "NetBSD", nil},
	{elf.ELFOSABI_LINUX, "Linux", []string{"gnu"}},
	{elf.ELFOSABI_HURD, "GNU Hurd", []string{"gnu-hurd", "hurd"}},
	{elf.ELFOSABI_SOLARIS, "Solaris", nil},
	{elf.ELFOSABI_AIX, "AIX", nil},
	{elf.ELFOSABI_IRIX, "IRIX", nil},
	{elf.ELFOSABI_FREEBSD, "FreeBSD", nil},
	{elf.ELFOSABI_TRU64, "Tru64", nil},
	{elf.ELFOSABI_OPENBSD, "OpenBSD", nil},
	{elf.ELFOSABI_OPENVMS, "OpenVMS", nil},
}

func osABIName(abi elf.OSABI) string {
	for _, known := range osABIs {
		if known.abi == abi {
			return known.name
		}
	}
	return fmt.Sprintf("0x%02X", uint8(abi))
}

func takeOSABI(p *patchelf, v []string) error {
	name := strings.ToLower(strings.TrimSpace(v[0]))
	for _, known := range osABIs {
		for _, n := range append([]string{strings.ToLower(known.name)}, known.others...) {
			if n == name {
				p.edit.OSABI = &known.abi
				return nil
			}
		}
	}
	return errors.New("unrecognized OS ABI")
}

// takeSymbolMap reads lines of two names, up to the first blank line.
func takeSymbolMap(p *patchelf, v []string) error {
	f, err := os.Open(v[0])
	if err != nil {
		return about("Cannot open map file", v[0], err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, maxValue)
	for n := 1; lines.Scan(); n++ {
		words := strings.Fields(lines.Text())
		if len(words) == 0 {
			break
		}
		bad := func(format string, args ...any) error {
			return fmt.Errorf("%s:%d: %s", filepath.Clean(v[0]), n, fmt.Sprintf(format, args...))
		}
		if len(words) == 1 {
			return bad("Map file line is missing the second element")
		}
		from, to := words[0], words[1]
		if _, twice := p.edit.RenameSymbols[from]; twice {
			return bad("Name '%s' appears twice in the map file", from)
		}
		if strings.Contains(from+to, "@") {
			return bad("Name pair contains version tag: %s %s", from, to)
		}
		p.edit.RenameSymbols = with(p.edit.RenameSymbols, from, to)
	}
	return lines.Err()
}

// with is m with one more key.
func with(m map[string]string, key, value string) map[string]string {
	if m == nil {
		m = map[string]string{}
	}
	m[key] = value
	return m
}
