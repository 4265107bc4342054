package elfpatch

import (
	"cmp"
	"debug/elf"
	"io"
	"iter"
	"slices"

	"github.com/nixbundle/nixbundle/elfpatch/stub"
)

// Info is what one ELF file says of itself to a loader. Strings are as they stand in the file:
// tokens such as $ORIGIN are not expanded and paths are not cleaned.
type Info struct {
	Class      elf.Class
	Data       elf.Data
	OSABI      elf.OSABI
	ABIVersion uint8
	// IdentPadding: what is behind these in e_ident is not all zero, which glibc does not load.
	IdentPadding bool
	Type         elf.Type
	Machine      elf.Machine
	Version      uint32 // e_version; EV_CURRENT in whatever is loaded
	Flags        uint32 // e_flags, which hold the float ABI on Arm, RISC-V and MIPS
	Entry        uint64 // an address; 0 when there is none

	Segments []Segment      // all program headers, in file order
	Interp   string         // PT_INTERP; "" when there is none
	Stub     *stub.Note     // the start stub that stands for PT_INTERP; nil when there is none
	BuildID  []byte         // NT_GNU_BUILD_ID; nil when there is none
	Arm      *ArmAttributes // of a 32-bit Arm file; nil when it has none
	Notes    []Note         // the notes of all PT_NOTE segments

	Dynamic    bool     // the file has a PT_DYNAMIC with content; all below is zero when it has not
	Soname     string   // DT_SONAME
	Needed     []string // DT_NEEDED in order; duplicates are kept
	RPath      string   // DT_RPATH; the loader ignores it when HasRunPath is set
	HasRPath   bool
	RunPath    string // DT_RUNPATH; an empty one has no directories but still switches DT_RPATH off
	HasRunPath bool
	DynFlags   elf.DynFlag  // DT_FLAGS
	DynFlags1  elf.DynFlag1 // DT_FLAGS_1
	Filter     []string     // DT_FILTER
	Auxiliary  []string     // DT_AUXILIARY
	order      []elf.DynTag // of Needed, Filter and Auxiliary; nil where they stand in that order
	Audit      string       // DT_AUDIT: a library that watches the loader, and in its way
	DepAudit   string       // DT_DEPAUDIT
	Symbolic   bool         // DT_SYMBOLIC or DF_SYMBOLIC: symbols are looked up in the file itself first
	Inits      int          // entries of DT_INIT_ARRAY
	Relr       bool         // the file has DT_RELR, which glibc reads from 2.36 on
	TextRel    bool         // DT_TEXTREL or DF_TEXTREL
	Debug      bool         // DT_DEBUG
	VerNeeds   []VerNeed
	VerDefs    []VerDef
}

// Dependencies are DT_NEEDED, DT_FILTER and DT_AUXILIARY in the order of the dynamic section, in which a loader
// goes through them: binutils writes the first before the others, LLVM's lld behind them.
func (i *Info) Dependencies() iter.Seq2[elf.DynTag, string] {
	return func(yield func(elf.DynTag, string) bool) {
		tags := []elf.DynTag{elf.DT_NEEDED, elf.DT_FILTER, elf.DT_AUXILIARY}
		left := [][]string{i.Needed, i.Filter, i.Auxiliary}
		for _, tag := range i.order {
			k := slices.Index(tags, tag)
			if len(left[k]) > 0 && !yield(tag, left[k][0]) {
				return
			}
			left[k] = left[k][min(1, len(left[k])):]
		}
		for k, tag := range tags {
			for _, name := range left[k] {
				if !yield(tag, name) {
					return
				}
			}
		}
	}
}

// dependencyOrder is the order of those tags; nil for the usual one.
func (f *file) dependencyOrder() []elf.DynTag {
	var order []elf.DynTag
	for _, e := range f.dyn.entries {
		if e.tag == elf.DT_NEEDED || e.tag == elf.DT_FILTER || e.tag == elf.DT_AUXILIARY {
			order = append(order, e.tag)
		}
	}
	rank := func(t elf.DynTag) int {
		return slices.Index([]elf.DynTag{elf.DT_NEEDED, elf.DT_FILTER, elf.DT_AUXILIARY}, t)
	}
	if slices.IsSortedFunc(order, func(a, b elf.DynTag) int { return cmp.Compare(rank(a), rank(b)) }) {
		return nil
	}
	return order
}

// Segment is one program header (gABI 5, "Program Header").
type Segment struct {
	Type   elf.ProgType
	Flags  elf.ProgFlag
	Off    uint64 // offset in the file, bytes
	Vaddr  uint64 // address, bytes
	Paddr  uint64 // a physical address, which Linux programs have no use for
	Filesz uint64 // bytes in the file
	Memsz  uint64 // bytes in memory
	Align  uint64 // Off and Vaddr agree modulo this
}

// Stack is PT_GNU_STACK as the kernel and the loader read it: whether the header is there, and
// whether it asks for an executable stack. Of several the last counts (fs/binfmt_elf.c:
// load_elf_binary; glibc elf/dl-load.c: _dl_map_object_from_fd).
func (i *Info) Stack() (present, executable bool) {
	for _, s := range i.Segments {
		if s.Type == elf.PT_GNU_STACK {
			present, executable = true, s.Flags&elf.PF_X != 0
		}
	}
	return present, executable
}

// SearchList is the list of directories that the loader heeds: DT_RUNPATH, or where there is none
// DT_RPATH (glibc elf/dl-load.c: decompose_rpath); false when the file has neither.
func (i *Info) SearchList() (list string, present bool) {
	if i.HasRunPath {
		return i.RunPath, true
	}
	return i.RPath, i.HasRPath
}

// MaxAlign is the largest p_align of the PT_LOAD segments in bytes, the largest page size on which
// the file can be mapped; 0 when it has none.
func (i *Info) MaxAlign() uint64 {
	var most uint64
	for _, s := range i.Segments {
		if s.Type == elf.PT_LOAD {
			most = max(most, s.Align)
		}
	}
	return most
}

// IsPIE reports whether the file is a position-independent executable: ET_DYN that says so with
// DF_1_PIE, or that asks for an interpreter and has no soname.
func (i *Info) IsPIE() bool {
	return i.Type == elf.ET_DYN && (i.DynFlags1&elf.DF_1_PIE != 0 || i.LoaderPath() != "" && i.Soname == "")
}

// LoaderPath is the path of the loader that a program names: PT_INTERP, or where its start stub
// finds it, relative to the folder of the program; "" for a file that names none.
func (i *Info) LoaderPath() string {
	if i.Stub != nil {
		return i.Stub.Loader
	}
	return i.Interp
}

// Read reads the facts of the ELF file src of size bytes with a handful of reads; its cost does
// not grow with the file. It returns ErrNotELF for another kind of file and a *FormatError for a
// damaged one. A static file, an object file or a core file is no error: their Info says what they
// are.
func Read(src io.ReaderAt, size int64) (*Info, error) {
	f, err := open(src, size)
	if err != nil {
		return nil, err
	}
	return f.info()
}

// Reader reads many files as [Read] does one, with less memory: it keeps its buffers, and what two
// files name alike is one string. The zero value is ready; it is not for concurrent use.
type Reader struct{ pager }

// Read reads the facts of one file.
func (r *Reader) Read(src io.ReaderAt, size int64) (*Info, error) {
	if r.texts == nil {
		r.texts = map[string]string{}
	}
	const keep = 16
	for _, p := range r.pages[:min(len(r.pages), keep)] {
		r.spare = append(r.spare, p.data[:pageSize])
	}
	r.src, r.size, r.pages = src, size, r.pages[:0]
	r.head = r.head[:0]
	defer func() { r.src = nil }()
	f, err := openPager(&r.pager)
	if err != nil {
		return nil, err
	}
	return f.info()
}

// file is an ELF file with its headers and dynamic section decoded; Read and Apply start from it.
type file struct {
	*pager
	header
	segments []Segment
	dyn      dynamic
	text     int        // how many bytes of strings were read
	names    *nameTable // all strings, where they were read at once
}

func open(src io.ReaderAt, size int64) (*file, error) { return openPager(newPager(src, size)) }

func openPager(p *pager) (*file, error) {
	h, err := decodeHeader(p)
	if err != nil {
		return nil, err
	}
	f := &file{pager: p, header: h}
	if f.segments, err = decodeSegments(p, &h); err != nil {
		return nil, err
	}
	if f.typ != elf.ET_CORE { // a core's segments are its process's, not its own
		f.dyn, err = f.readDynamic()
	}
	return f, err
}

// offset gives the place in the file of n bytes at address v: the one way from addresses to
// offsets. It fails where no PT_LOAD holds them all in the file, nor several whose bytes follow each other in
// memory and in the file. Where several hold them, the last counts: it is mapped over the others (glibc
// elf/dl-map-segments.h: _dl_map_segments, MAP_FIXED).
func (f *file) offset(v vaddr, n int64) (offset, error) {
	if off, ok := f.held(v, n); ok {
		return off, nil
	}
	const most = 4 // PT_LOADs in a row
	first, err := offset(0), error(&addressError{v, n})
	for at, left, i := v, n, 0; left > 0 && i < most; i++ {
		off, part := f.run(at)
		if i == 0 {
			first = off
		}
		if part == 0 || off != first+offset(n-left) {
			return 0, err
		}
		if part >= left {
			return first, nil
		}
		at, left = at+vaddr(part), left-part
	}
	return 0, err
}

// held gives the place in the file of n bytes at address v that one PT_LOAD has.
func (f *file) held(v vaddr, n int64) (offset, bool) {
	for _, s := range slices.Backward(f.segments) {
		if off, room := f.within(&s, v); room >= n && n >= 0 {
			return off, true
		}
	}
	return 0, false
}

// run gives the place of address v in the file, and how many bytes from there the last PT_LOAD has that has any.
func (f *file) run(v vaddr) (offset, int64) {
	for _, s := range slices.Backward(f.segments) {
		if off, room := f.within(&s, v); room > 0 {
			return off, room
		}
	}
	return 0, 0
}

// within gives the place of address v in the file, and how many bytes from there a PT_LOAD has; -1 where it
// has not that address.
func (f *file) within(s *Segment, v vaddr) (off offset, room int64) {
	if s.Type != elf.PT_LOAD || uint64(v) < s.Vaddr {
		return 0, -1
	}
	into := uint64(v) - s.Vaddr
	if into > s.Filesz || into+s.Off < into {
		return 0, -1
	}
	off = offset(into + s.Off)
	if off < 0 || int64(off) > f.size {
		return 0, -1
	}
	return off, int64(min(s.Filesz-into, uint64(f.size-int64(off))))
}

// at reads n bytes at address v.
func (f *file) at(v vaddr, n int64) ([]byte, error) {
	off, err := f.offset(v, n)
	if err != nil {
		return nil, err
	}
	return f.read(off, n)
}

// segment returns the first segment of that type, or nil.
func (f *file) segment(t elf.ProgType) *Segment {
	for i := range f.segments {
		if f.segments[i].Type == t {
			return &f.segments[i]
		}
	}
	return nil
}

func (f *file) info() (*Info, error) {
	info := &Info{
		Class: f.class, Data: f.data, OSABI: f.osABI, ABIVersion: f.abiVersion, IdentPadding: f.padding,
		Type: f.typ, Version: f.version, Machine: f.machine, Flags: f.flags, Entry: uint64(f.entry), Segments: f.segments,
	}
	if f.typ == elf.ET_CORE {
		return info, nil
	}
	var err error
	if info.Interp, err = f.interp(); err != nil {
		return nil, err
	}
	if info.Stub, err = f.stub(); err != nil {
		return nil, err
	}
	if info.Notes, err = f.notes(); err != nil {
		return nil, err
	}
	info.BuildID, info.Arm = buildID(info.Notes), f.armAttributes()
	if info.Dynamic = f.dyn.present; !info.Dynamic {
		return info, nil
	}
	if err := f.dynamicInfo(info); err != nil {
		return nil, err
	}
	return info, nil
}

// maxInterp bounds PT_INTERP: Linux takes up to PATH_MAX (fs/binfmt_elf.c: load_elf_binary).
const maxInterp = 4096

// interp reads PT_INTERP as the kernel does: the first, by p_offset, ending in NUL. A separate
// debug file has the header but not the content (objcopy --only-keep-debug). In a shared object without
// an entry point nobody reads it, whatever it holds.
func (f *file) interp() (string, error) {
	s := f.segment(elf.PT_INTERP)
	if s == nil || s.Filesz == 0 {
		return "", nil
	}
	text, err := f.interpText(s)
	if err != nil && f.typ == elf.ET_DYN && f.entry == 0 {
		return "", nil
	}
	return text, err
}

func (f *file) interpText(s *Segment) (string, error) {
	if s.Filesz < 2 || s.Filesz > maxInterp {
		return "", &FormatError{Off: max(int64(s.Off), 0), Msg: "PT_INTERP has an impossible length", Val: s.Filesz}
	}
	b, err := f.read(offset(s.Off), int64(s.Filesz))
	if err != nil {
		return "", damage(offset(s.Off), "PT_INTERP", err)
	}
	if b[len(b)-1] != 0 {
		return "", &FormatError{Off: int64(s.Off), Msg: "PT_INTERP does not end in NUL"}
	}
	return cString(b), nil
}

// cString is b up to its first NUL.
func cString(b []byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}
