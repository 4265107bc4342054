package closure

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/bits"
	"strings"
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
	why, err := p.verify(object.Info)
	if why != "" {
		return nil, pass{why: why, object: object}, nil
	}
	if err == nil {
		err = p.loadable(object.Info)
	}
	if err != nil {
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
	default:
		why, fatal = p.verify(headerInfo(h, want))
	}
	if why == "" && fatal == nil {
		fatal = u.err
	}
	return why, fatal
}

// headerInfo is what an ELF header says (gABI 4) that has the class of want.
func headerInfo(head []byte, want *elfpatch.Info) *elfpatch.Info {
	info := &elfpatch.Info{Class: elf.Class(head[elf.EI_CLASS]), Data: elf.Data(head[elf.EI_DATA])}
	var order binary.ByteOrder = binary.LittleEndian
	if (want.Data == elf.ELFDATA2MSB) == (info.Data == want.Data) {
		order = binary.BigEndian
	}
	info.OSABI, info.ABIVersion = elf.OSABI(head[elf.EI_OSABI]), head[elf.EI_ABIVERSION]
	info.IdentPadding = string(head[elf.EI_PAD:elf.EI_NIDENT]) != string(make([]byte, elf.EI_NIDENT-elf.EI_PAD))
	info.Type, info.Machine, info.Version = elf.Type(order.Uint16(head[16:])), elf.Machine(order.Uint16(head[18:])), order.Uint32(head[20:])
	flags := 36
	if want.Class == elf.ELFCLASS64 {
		flags = 48
	}
	info.Flags = order.Uint32(head[flags:])
	return info
}

// Float ABI flags in e_flags (AAELF32 5.1; RISC-V ELF psABI 8.2).
const (
	efArmSoft    = 0x200
	efArmHard    = 0x400
	efRISCVFloat = 0x6
)

// verify looks at an ELF header as glibc does, in its order (elf/dl-load.c: open_verify): a file for another machine is
// passed over, for which there is a reason, and at any other defect the process stops.
func (p *process) verify(info *elfpatch.Info) (why string, fatal error) {
	want := p.m.Program().Object.Info
	ident := identFault(info, want)
	switch {
	case info.Class != want.Class:
		return "wrong ELF class: " + info.Class.String(), nil
	case ident != nil && p.m.Loader.multiarch() && hostMachine(info, want) != want.Machine:
		return fmt.Sprintf("machine %v, not %v", info.Machine, want.Machine), nil
	case ident != nil:
		return "", ident
	case info.Version != uint32(elf.EV_CURRENT):
		return "", errors.New("ELF file version does not match current one")
	case info.Machine != want.Machine:
		return fmt.Sprintf("machine %v, not %v", info.Machine, want.Machine), nil
	case info.Machine == elf.EM_RISCV && (info.Flags^want.Flags)&efRISCVFloat != 0:
		return "other floating-point ABI", nil
	case info.Type != elf.ET_DYN && info.Type != elf.ET_EXEC:
		return "", errors.New("neither a library nor an executable")
	case p.m.Loader.does(abiTags) && otherSystem(info):
		return "made for another system than Linux (NT_GNU_ABI_TAG)", nil
	}
	return "", nil
}

// identFault is what is wrong with e_ident, but for the class.
func identFault(info, want *elfpatch.Info) error {
	switch {
	case info.Data != want.Data:
		return errors.New("data encoding is not that of the program")
	case !knownABI(info, want.Machine):
		return fmt.Errorf("ELF file OS ABI invalid (%v, version %d)", info.OSABI, info.ABIVersion)
	case info.IdentPadding:
		return errors.New("nonzero padding in e_ident")
	case info.Machine == elf.EM_ARM && floatABI(info)|floatABI(want) == efArmSoft|efArmHard:
		return errors.New("other floating-point ABI than the program's")
	}
	return nil
}

// multiarch reports whether a glibc is Debian's or made from it, which passes over a file for another machine whatever
// else is wrong with its e_ident (seen in 2.31 to 2.43).
func (l *Loader) multiarch() bool { return strings.HasPrefix(l.Lib, "lib/") }

// hostMachine is e_machine in the byte order of want.
func hostMachine(info, want *elfpatch.Info) elf.Machine {
	if info.Data != want.Data {
		return elf.Machine(bits.ReverseBytes16(uint16(info.Machine)))
	}
	return info.Machine
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

// loadable is what glibc wants of a file for its own machine when it maps it (elf/dl-load.c:
// _dl_map_object_from_fd); the error stops the process.
func (p *process) loadable(info *elfpatch.Info) error {
	if err := p.mappable(info); err != nil {
		return err
	}
	switch {
	case info.Type == elf.ET_EXEC:
		return errors.New("is an executable, not a library")
	case info.DynFlags1&elf.DF_1_PIE != 0:
		return errors.New("is a position-independent executable, not a library")
	case !info.Dynamic:
		return errors.New("object file has no dynamic section")
	}
	return nil
}

// mappable is what glibc wants of the PT_LOAD segments. No machine has smaller pages than these; whether
// larger ones fit is up to the machine, see [Audit].
func (p *process) mappable(info *elfpatch.Info) error {
	const page = 4096
	var first, last *elfpatch.Segment
	for i := range info.Segments {
		s := &info.Segments[i]
		if s.Type != elf.PT_LOAD {
			continue
		}
		unit := uint64(page)
		if p.m.Loader.does(alignChecked) {
			if s.Align%page != 0 {
				return errors.New("ELF load command alignment not page-aligned")
			}
			unit = s.Align
		}
		if (s.Vaddr-s.Off)&(unit-1) != 0 {
			return errors.New("ELF load command address/offset not page-aligned")
		}
		if last = s; first == nil {
			first = s
		}
	}
	switch {
	case first == nil:
		return errors.New("object file has no loadable segments")
	case last.Vaddr+last.Memsz <= first.Vaddr&^(page-1): // elf/dl-map-segments.h: _dl_map_segments
		return errors.New("failed to map segment from shared object")
	}
	return nil
}

// knownABI is VALID_ELF_OSABI and VALID_ELF_ABIVERSION of a machine's glibc.
func knownABI(info *elfpatch.Info, machine elf.Machine) bool {
	const armEABI, abiMax = 64, 4
	switch {
	case machine == elf.EM_MIPS:
		return true
	case info.OSABI == elf.ELFOSABI_NONE, machine == elf.EM_ARM && info.OSABI == armEABI:
		return info.ABIVersion == 0
	case info.OSABI == elf.ELFOSABI_LINUX:
		return info.ABIVersion < abiMax
	}
	return false
}

func floatABI(info *elfpatch.Info) uint32 { return info.Flags & (efArmSoft | efArmHard) }
