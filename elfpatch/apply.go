package elfpatch

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Apply makes the edit e of the ELF file src of size bytes and gives the result as an Image; src
// is only read. All of e is one plan, so the order of its parts does not matter, and an edit that
// is true of the file already gives an unchanged Image.
//
// What the loader reads moves as little as possible. The dynamic section is edited where it is, in
// the DT_NULL entries that linkers leave; it moves only where there is none. A string is looked for in the string table, or takes the
// place of one that died, or the table grows into room behind it; a table moves into the unused end
// of a read-only segment's last page; at last one segment is added, read-only but
// for a dynamic section in it. No PT_LOAD changes
// its address, offset or flags, and what the debugger or strip reads of section headers stays true.
// A later edit lays the appended segment out anew instead of adding another.
//
// The result is read again before it is returned: it must say what e asks for and be what the
// kernel and glibc's elf/dl-load.c: _dl_map_object_from_fd accept.
//
// A file without PT_DYNAMIC gives ErrNotDynamic, unless e is about PT_INTERP alone. What cannot be
// placed without risk is an error that wraps ErrUnsupported and names what stands against it:
//   - an interp for a file that has none, or a run path for one that starts itself: a static PIE, a loader;
//   - more new entries than the dynamic section has room for, where the file starts itself;
//   - growth where no program header can be had, or, unless e.Trailer says how, where a payload stands
//     behind the ELF image;
//   - segments that overlap, do not ascend or are not congruent in the input already.
func Apply(src io.ReaderAt, size int64, e Edit) (*Image, error) {
	if err := e.check(); err != nil {
		return nil, err
	}
	f, err := open(src, size)
	if err != nil {
		return nil, err
	}
	in, err := f.info()
	if err != nil {
		return nil, err
	}
	want := e.Applied(in)
	if differs(in, want) == "" && len(e.ClearVersions)+len(e.RenameSymbols) == 0 {
		return &Image{src: src, srcSize: size, kept: size}, nil
	}
	p, err := newPatch(f, &e, in, want, 1)
	if errors.Is(err, errNoHeader) { // perhaps what the edit needs can be had at once, and not one by one
		p, err = newPatch(f, &e, in, want, 2)
	}
	if err != nil {
		return nil, err
	}
	if err := p.img.settle(); err != nil {
		return nil, err
	}
	if err := p.verify(); err != nil {
		return nil, err
	}
	return p.img, nil
}

// patch is one edit of one file while it is planned: the file as it is (file, in), the facts as
// they are to be (want), and what has been decided so far.
type patch struct {
	*file
	edit     *Edit
	in, want *Info
	img      *Image

	headers  int       // how many program headers are added where one is needed
	segs     []Segment // the program headers as they will be, at their new places
	sections []section // the section headers as they will be; nil when there are none
	shift    offset    // how far their table moves up
	entries  []entry   // the dynamic section as it will be

	own     int      // the index in segs of the segment that an earlier edit appended; -1 when there is none
	blocks  []*block // what leaves its place
	strings *block   // the string table where it grows
	relay   bool     // the segment of an earlier edit is to be laid out anew, whatever leaves
	used    []extent // file ranges that something uses, sorted
	vacated []extent // ranges that blocks left; kept free until it is clear what the headers need
	// reserved is the range that squeeze lays out, in which nothing that leaves it finds room.
	reserved extent

	dynOff  offset // where the dynamic section will be, and
	dynAddr vaddr
	dynSize int64 // how long, if it moves
}

// newPatch plans an edit; headers is how many program headers are added where one is needed.
func newPatch(f *file, e *Edit, in, want *Info, headers int) (*patch, error) {
	img := &Image{src: f.src, srcSize: f.size, kept: f.size}
	p := &patch{file: f, edit: e, in: in, want: want, img: img, segs: slices.Clone(f.segments), headers: headers}
	p.dynOff, p.dynAddr = f.dyn.off, f.dyn.addr
	return p, p.plan()
}

// plan decides and writes, in passes: what the tables say, where the tables go, the headers.
func (p *patch) plan() error {
	if err := p.refuse(); err != nil {
		return err
	}
	p.sections = decodeSections(p.pager, &p.header)
	p.used = p.usedRanges()
	p.own = p.ownSegment()
	p.placeABI()
	p.mendProperty()
	strings, err := p.planDynamic()
	if err != nil {
		return err
	}
	p.planStrings(strings)
	if err := p.placeHeaders(); err != nil {
		return err
	}
	if p.wantsStub() && p.in.Stub == nil {
		p.vacateInterp()
	} else {
		p.placeInterp()
	}
	p.placeStrings()
	if err := p.placeBlocks(); err != nil {
		return err
	}
	if err := p.nameCacheSection(); err != nil {
		return err
	}
	p.dropHeader()
	if err := p.placeStub(); err != nil {
		return err
	}
	p.writeDynamic(strings)
	p.writeSections()
	p.writeSegments()
	return nil
}

// refuse names what cannot be edited at all.
func (p *patch) refuse() error {
	if p.typ != elf.ET_EXEC && p.typ != elf.ET_DYN {
		return unsupported("the file is %v, neither a program nor a shared object", p.typ)
	}
	if err := p.checkLayout(); err != nil {
		return unsupported("%v", err)
	}
	if p.manySections() {
		return unsupported("the file has more sections than e_shnum can count, so their headers cannot be kept true")
	}
	switch {
	case p.want.Interp == "" || p.in.Interp != "":
	case p.in.Stub != nil:
		return unsupported("a start stub stands for PT_INTERP: edit the program as it was before it")
	default:
		return unsupported("the file has no PT_INTERP, so it is no program with a loader")
	}
	if err := p.refuseStub(); err != nil {
		return err
	}
	symbols := len(p.edit.ClearVersions)+len(p.edit.RenameSymbols) > 0
	if dynamicDiffers(p.in, p.want) == "" && !symbols {
		return nil
	}
	if !p.dyn.present {
		return ErrNotDynamic
	}
	_, before := p.in.SearchList()
	_, after := p.want.SearchList()
	itself := p.startsItself()
	switch {
	case itself && after && !before:
		return unsupported("the file starts without a loader (a static PIE, or a loader itself), which asserts that it has no run path")
	case itself && len(p.want.Needed) > len(p.in.Needed):
		return unsupported("the file starts without a loader (a static PIE, or a loader itself), so that nothing would load what it needs")
	case p.want.Debug && !p.in.Debug && p.dynamicSegment().Flags&elf.PF_W == 0:
		return unsupported("the loader would write DT_DEBUG into the dynamic section, which is read-only (ld -z rodynamic)")
	}
	if itself && p.in.DynFlags1&elf.DF_1_PIE == 0 && p.want.DynFlags1 != p.in.DynFlags1 {
		return unsupported("the file is a loader, which asserts that it has no DT_FLAGS_1 but DF_1_NOW")
	}
	return nil
}

// placeHeaders finds the program headers that the edit is known to need before anything takes the room
// that they could have.
func (p *patch) placeHeaders() error {
	if len(p.homeless()) > 0 && p.own < 0 {
		if err := p.freeHeader(); err != nil {
			return err
		}
	}
	if err := p.placeStack(); err != nil {
		return err
	}
	return p.placeCache()
}

// placeABI writes EI_OSABI.
func (p *patch) placeABI() {
	if p.want.OSABI != p.in.OSABI {
		p.img.write(elf.EI_OSABI, []byte{byte(p.want.OSABI)})
	}
}

// placeStack makes PT_GNU_STACK what it shall be.
func (p *patch) placeStack() error {
	if p.edit.ExecStack == nil {
		return nil
	}
	present, was := p.in.Stack()
	switch {
	case present && was == *p.edit.ExecStack:
		return nil
	case !present:
		if err := p.freeHeader(); err != nil {
			return err
		}
		p.segs[p.nullHeader()] = Segment{Type: elf.PT_GNU_STACK, Flags: elf.PF_R | elf.PF_W, Align: 16}
	}
	p.segs = withStack(p.segs, *p.edit.ExecStack)
	return nil
}

// startsItself reports whether the file is a static PIE or a loader: they relocate themselves with
// code that asserts there is no DT_RPATH or DT_RUNPATH (glibc elf/get-dynamic-info.h:
// elf_get_dynamic_info).
func (p *patch) startsItself() bool {
	if p.in.Interp != "" || p.in.Stub != nil || p.entry == 0 || len(p.in.Needed) > 0 {
		return false
	}
	_, debug := p.dyn.value(elf.DT_DEBUG)
	_, init := p.dyn.value(elf.DT_INIT)
	_, initArray := p.dyn.value(elf.DT_INIT_ARRAY)
	return p.in.DynFlags1&elf.DF_1_PIE != 0 || debug || !init && !initArray
}

func unsupported(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrUnsupported}, args...)...)
}
