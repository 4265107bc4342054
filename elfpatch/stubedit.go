package elfpatch

import (
	"debug/elf"
	"slices"

	"github.com/nixbundle/nixbundle/elfpatch/stub"
)

// maxStub bounds what is read of a stub's segment in bytes: the code, and a path.
const maxStub = 1 << 14

// stubSegment returns the index of the segment of the start stub, or -1: the program has no
// PT_INTERP, and its entry is the code behind the note that the segment starts with.
func (f *file) stubSegment() int {
	if f.entry == 0 || f.segment(elf.PT_INTERP) != nil {
		return -1
	}
	return slices.IndexFunc(f.segments, func(s Segment) bool {
		if s.Type != elf.PT_LOAD || s.Vaddr+stub.Head != uint64(f.entry) || s.Filesz < stub.Head {
			return false
		}
		head, err := f.read(offset(s.Off), stub.Head)
		return err == nil && stub.Is(f.order, head)
	})
}

// stub reads the note of the start stub; nil when the program has none.
func (f *file) stub() (*stub.Note, error) {
	i := f.stubSegment()
	if i < 0 {
		return nil, nil
	}
	s := f.segments[i]
	b, err := f.read(offset(s.Off), int64(min(s.Filesz, maxStub)))
	if err != nil {
		return nil, damage(offset(s.Off), "start stub", err)
	}
	n, err := stub.Decode(f.order, b)
	if err != nil {
		return nil, &FormatError{Off: int64(s.Off), Msg: "start stub: " + err.Error()}
	}
	return n, nil
}

// loaderOf is the path of the loader that a stub starts, "" without one.
func loaderOf(n *stub.Note) string {
	if n == nil {
		return ""
	}
	return n.Loader
}

// wantsStub reports whether the edit gives the program a stub, or its stub another loader.
func (p *patch) wantsStub() bool { return loaderOf(p.want.Stub) != loaderOf(p.in.Stub) }

// refuseStub says why a program cannot have a stub.
func (p *patch) refuseStub() error {
	switch {
	case !p.wantsStub():
		return nil
	case p.in.Interp == "" && p.in.Stub == nil:
		return unsupported("the file has no PT_INTERP, so it is no program with a loader")
	case p.in.Entry == 0:
		return unsupported("the file has no entry, so nothing can start it")
	case stub.Code(p.machine, p.class, p.data) == nil:
		return unsupported("there is no start stub for %v, %v, %v", p.machine, p.class, p.data)
	}
	return nil
}

// vacateInterp gives up the place of PT_INTERP, whose header becomes the stub's.
func (p *patch) vacateInterp() {
	old := p.interpBlock().old
	p.clear(old)
	p.vacated = append(p.vacated, old)
}

// placeStub puts the stub into a segment of its own at the end of the file and makes it the
// program's entry. The segment takes the header of PT_INTERP, behind the other PT_LOAD, and the
// section of PT_INTERP, without which strip would drop it.
func (p *patch) placeStub() error {
	if !p.wantsStub() {
		return nil
	}
	note := stub.Note{Entry: p.in.Entry, Loader: p.edit.Loader}
	code := stub.Code(p.machine, p.class, p.data)
	if p.in.Stub != nil {
		note.Entry, note.Addr = p.in.Stub.Entry, p.in.Stub.Addr
		return p.replaceStub(note.Encode(p.order, code))
	}
	end, err := p.imageEnd(-1)
	if err != nil {
		return err
	}
	s, err := p.behindAll(end, -1)
	if err != nil {
		return err
	}
	note.Addr = s.Vaddr
	data := note.Encode(p.order, code)
	s.Flags, s.Filesz, s.Memsz = elf.PF_R|elf.PF_X, uint64(len(data)), uint64(len(data))
	if p.class == elf.ELFCLASS32 && s.Vaddr+s.Memsz > 1<<32-1 || s.Vaddr > 1<<63 {
		return unsupported("there is no address left behind the last segment")
	}
	p.stubSection(s)
	for i := range p.segs {
		if p.segs[i].Type == elf.PT_INTERP {
			p.segs[i] = Segment{}
		}
	}
	p.insertSegment(s)
	p.extend(s.Off, data)
	p.img.write(entryOffset, p.words(nil, s.Vaddr+stub.Head))
	return nil
}

// entryOffset is where e_entry stands in the ELF header of both classes.
const entryOffset = 24

// extend appends data at an offset at or behind the end of the image.
func (p *patch) extend(off uint64, data []byte) {
	p.img.tail = append(p.img.tail, make([]byte, int64(off)-p.img.end())...)
	p.img.tail = append(p.img.tail, data...)
}

// replaceStub writes another stub where one is; it may be longer where the file ends with it.
func (p *patch) replaceStub(data []byte) error {
	i := p.stubSegment()
	s := p.segments[i]
	switch {
	case uint64(len(data)) <= s.Filesz: // what the old one had more becomes zero
		data = append(data, make([]byte, s.Filesz-uint64(len(data)))...)
	case s.Off+s.Filesz == uint64(p.size) && p.img.Size() == p.size:
		at := slices.Index(p.segs, s)
		p.segs[at].Filesz, p.segs[at].Memsz = uint64(len(data)), uint64(len(data))
		p.extend(uint64(p.size), data[s.Filesz:])
		data = data[:s.Filesz]
	default:
		return unsupported("the path of the loader is longer than the one in the start stub, whose place cannot grow")
	}
	p.img.write(offset(s.Off), data)
	return nil
}

// stubSection makes the section header of PT_INTERP that of the stub, a note. Debuggers look for the
// path of a loader in the section ".interp" by its name, so it loses the dot.
func (p *patch) stubSection(s Segment) {
	i := p.interpBlock().section
	if i < 0 {
		return
	}
	n := &p.sections[i]
	n.typ, n.flags = uint32(elf.SHT_NOTE), uint64(elf.SHF_ALLOC)
	n.addr, n.off, n.size, n.addralign = vaddr(s.Vaddr), offset(s.Off), s.Filesz, noteAlign
	n.name++
}

const noteAlign = 4
