package closure

import (
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/nixbundle/nixbundle/elfpatch"
)

// pass says why a place was passed over.
type pass struct {
	why      string
	object   *Object // a file for another machine
	endsList bool    // the rest of the list is skipped too
}

// try opens one place (glibc elf/dl-load.c: open_path, open_verify). A missing file or one for
// another machine is passed over; a broken one is an error, at which the loader stops.
func (p *process) try(pl place, name string) (*Object, pass, error) {
	if pl.never != "" {
		return nil, pass{why: pl.never}, nil
	}
	n, err := p.find(pl, name)
	if err != nil {
		return nil, p.absent(pl, err), nil
	}
	object, err := p.object(n)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
		return nil, p.absent(pl, err), nil
	}
	if err != nil {
		why, err := p.broken(n, err)
		if err != nil {
			return nil, pass{}, &badFile{path: pl.path(name), err: err}
		}
		return nil, pass{why: why}, nil
	}
	if p.m.Loader.Kind == LoaderMusl {
		return object, pass{}, nil // musl looks at neither class nor machine
	}
	why := p.foreign(object.Info)
	if why == "" && p.m.Loader.does(abiTags) && otherSystem(object.Info) {
		why = "made for another system than Linux (NT_GNU_ABI_TAG)"
	}
	if why != "" {
		return nil, pass{why: why, object: object}, nil
	}
	if err := p.loadable(object.Info); err != nil {
		return nil, pass{}, &badFile{path: pl.path(name), err: err}
	}
	return object, pass{}, nil
}

// find resolves the file of a place.
func (p *process) find(pl place, name string) (*node, error) {
	if pl.dir == nil {
		return p.walk(pl.text)
	}
	if pl.dir.err != nil {
		return nil, pl.dir.err
	}
	p.list(pl.dir.node)
	links := 0
	return p.follow(pl.dir.node, name, &links, true)
}

// noDirectory marks a directory that is not there at all; glibc then goes on to the next one,
// whatever the reason.
type noDirectory struct{ error }

// absent says what a path that does not lead to a file means for the rest of its list.
func (p *process) absent(pl place, err error) pass {
	if errors.Is(err, fs.ErrNotExist) {
		return pass{why: "no such file"}
	}
	var dir *noDirectory
	switch {
	case errors.As(err, &dir):
		return pass{why: "no such directory"}
	case errors.Is(err, fs.ErrPermission):
		return pass{why: "permission denied"}
	case errors.Is(err, syscall.ENOTDIR):
		// glibc: goes on from 2.39.
		return pass{why: "not a directory", endsList: p.m.Loader.Kind == LoaderGlibc && !p.m.Loader.does(notDirGoesOn)}
	case errors.Is(err, syscall.ENAMETOOLONG):
		return pass{why: "name too long", endsList: p.m.Loader.Kind == LoaderGlibc}
	case errors.Is(err, syscall.ELOOP):
		return pass{why: "too many levels of symbolic links", endsList: true}
	}
	return pass{why: err.Error(), endsList: true}
}

// broken sorts a file that could not be read: one of another class or machine is passed over
// before its contents matter, any other stops the loader.
func (p *process) broken(n *node, err error) (why string, fatal error) {
	var u *unreadable
	if !errors.As(err, &u) {
		if n.mode.IsDir() {
			return "", errors.New("is a directory")
		}
		return "", err
	}
	want := p.m.Program().Object.Info
	size := map[elf.Class]int{elf.ELFCLASS32: 52, elf.ELFCLASS64: 64}[want.Class]
	switch h := u.head; {
	case len(h) < size:
		return "", errors.New("file too short")
	case string(h[:4]) != elf.ELFMAG:
		return "", errors.New("not an ELF file")
	case p.m.Loader.Kind == LoaderMusl:
	case elf.Class(h[elf.EI_CLASS]) != want.Class:
		return "wrong ELF class: " + elf.Class(h[elf.EI_CLASS]).String(), nil
	case elf.Data(h[elf.EI_DATA]) == want.Data && machineAt(h, want) != want.Machine:
		return fmt.Sprintf("machine %v, not %v", machineAt(h, want), want.Machine), nil
	}
	return "", u.err
}

// machineAt is e_machine of an ELF header (gABI 4).
func machineAt(head []byte, want *elfpatch.Info) elf.Machine {
	lo, hi := uint16(head[18]), uint16(head[19])
	if want.Data == elf.ELFDATA2MSB {
		lo, hi = hi, lo
	}
	return elf.Machine(lo | hi<<8)
}

// Float ABI flags in e_flags (AAELF32 5.1; RISC-V ELF psABI 8.2).
const (
	efArmSoft    = 0x200
	efArmHard    = 0x400
	efRISCVFloat = 0x6
)

// foreign says why glibc passes a well-formed file over: it is for another machine.
func (p *process) foreign(info *elfpatch.Info) string {
	want := p.m.Program().Object.Info
	switch {
	case info.Class != want.Class:
		return "wrong ELF class: " + info.Class.String()
	case info.Data != want.Data:
		return ""
	case info.Machine != want.Machine:
		return fmt.Sprintf("machine %v, not %v", info.Machine, want.Machine)
	case info.Machine == elf.EM_RISCV && (info.Flags^want.Flags)&efRISCVFloat != 0:
		return "other floating-point ABI"
	}
	return ""
}

// otherSystem reports whether NT_GNU_ABI_TAG names another system than Linux, whose word is 0
// (glibc 2.35 elf/dl-load.c: open_verify). Which kernel it asks for is up to the machine.
func otherSystem(info *elfpatch.Info) bool {
	for _, n := range info.Notes {
		if n.Name == "GNU" && n.Type == 1 && len(n.Desc) == 16 {
			return string(n.Desc[:4]) != "\x00\x00\x00\x00"
		}
	}
	return false
}

// loadable is what glibc wants of a file for its own machine before it maps it (elf/dl-load.c:
// open_verify, _dl_map_object_from_fd); the error stops the process.
func (p *process) loadable(info *elfpatch.Info) error {
	want := p.m.Program().Object.Info
	switch {
	case info.Data != want.Data:
		return errors.New("data encoding is not that of the program")
	case !knownABI(info):
		return fmt.Errorf("ELF file OS ABI invalid (%v, version %d)", info.OSABI, info.ABIVersion)
	case info.Machine == elf.EM_ARM && floatABI(info)|floatABI(want) == efArmSoft|efArmHard:
		return errors.New("other floating-point ABI than the program's")
	case info.Type == elf.ET_EXEC:
		return errors.New("is an executable, not a library")
	case info.Type != elf.ET_DYN:
		return errors.New("neither a library nor an executable")
	case info.DynFlags1&elf.DF_1_PIE != 0:
		return errors.New("is a position-independent executable, not a library")
	case !info.Dynamic:
		return errors.New("object file has no dynamic section")
	}
	for _, s := range info.Segments {
		if s.Type == elf.PT_LOAD {
			return nil
		}
	}
	return errors.New("object file has no loadable segments")
}

// knownABI is glibc's VALID_ELF_OSABI and VALID_ELF_ABIVERSION.
func knownABI(info *elfpatch.Info) bool {
	const armEABI, abiMax = 64, 4
	switch {
	case info.Machine == elf.EM_MIPS:
		return true
	case info.OSABI == elf.ELFOSABI_NONE, info.Machine == elf.EM_ARM && info.OSABI == armEABI:
		return info.ABIVersion == 0
	case info.OSABI == elf.ELFOSABI_LINUX:
		return info.ABIVersion < abiMax
	}
	return false
}

func floatABI(info *elfpatch.Info) uint32 { return info.Flags & (efArmSoft | efArmHard) }
