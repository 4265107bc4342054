package bundle

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/closure/wrapper"
	"github.com/nixbundle/nixbundle/elfpatch"
)

// Plan is a bundle before any byte is written: nothing is decided after it.
type Plan struct {
	Name     string            // the folder that holds everything, "sensor"
	Entries  []Entry           // sorted by Path; the manifest is not among them
	Programs []Program         // in the order asked for
	Prefix   string            // the folder that it must be unpacked to, "/opt/sensor"; "" for any
	Target   *ManifestTarget   // the target that it was planned for; nil where none was named
	Epoch    int64             // the modification time of every entry, seconds since 1970
	Accepted []closure.Finding // what stands in the closure and somebody has allowed
	Strict   bool              // the bundle is refused if something in it still leads into the store
	Notes    []string          // what is worth knowing: what programs may open that the bundle does not bring
	Warnings []string          // what is likely a mistake, and what the plan changes beyond edits: set-id bits dropped

	// Apart reports whether two objects are in one process. Equal files then stay two files: as
	// hard links they would be one inode, which the loader takes for one object. Nil means never.
	Apart func(a, b *closure.Object) bool

	closure *closure.Closure
	prefix  *prefix // nil where the bundle can be anywhere: it then has what follows
	layout  *layout
	places  *places
	packed  map[string]string // where programs and libraries are, by their paths
	kept    map[string]kept   // of a prefix: the entries so far
	warned  []closure.Finding // of Warnings, what the closure has
}

// Entry is one file, folder or link of a bundle.
type Entry struct {
	Path string      // "sensor/lib/libz.so.1", with slashes, no trailing one
	Mode fs.FileMode // permissions, with fs.ModeDir or fs.ModeSymlink for those
	Link string      // the target of a symbolic link, relative
	Data []byte      // the content of a generated file; nil where Object is set

	Object *closure.Object // the source of a packed file; nil for folders, links, generated files. Its Info is nil where that is no ELF file
	Texts  []Text          // what is replaced in it, by Off
	Edit   elfpatch.Edit   // what is changed in it then

	patched *patched // what Edit made of Object, once it is known; nil where it is not kept
}

// Program is one program of a bundle.
type Program struct {
	Entry    string           // what the user starts, "sensor/bin/sensor"
	ELF      string           // the entry that holds the ELF file; the same as Entry unless a launcher starts it
	Source   string           // where it came from
	Strategy Strategy         // how it finds its loader
	Reason   string           // why that strategy, for the reader
	Setup    *wrapper.Wrapper // what the launcher does before it starts the program; nil where nothing is
}

// Options of a plan; the zero value is right.
type Options struct {
	// Name is the folder inside the archive; "" takes the first program's file name, so that the
	// bytes do not depend on what the output is called.
	Name string
	// Interp is how programs find their loader: "" or "auto", "system", "stub", "wrapper", or an
	// absolute path that PT_INTERP becomes.
	Interp string
	// Target is the machine that the bundle will run on. Programs for which nothing is asked then use
	// its own C library, where that has every version that any object asks for. Nil means any.
	Target *Target
	// AllowConflicts makes a bundle although the loader will mix up copies; what it will mix up is
	// recorded in the manifest.
	AllowConflicts bool
	// Accept are conflicts that do not refuse the bundle; they are recorded in the manifest as well.
	Accept []closure.Acceptance
	// Epoch is the modification time of every entry, seconds since 1970; 0 means 1.
	Epoch int64
	// Prefix is the folder that the bundle will be unpacked to, where that is known: "/opt/sensor". Every file then
	// keeps its place below the store, and every path of the store in it becomes one below PREFIX/store. The
	// closure is one of [closure.Gather] with Follow.Data and Follow.Wrappers.
	Prefix string
	// Strict refuses, when it is packed, a bundle in which something still leads into the store.
	Strict bool
}

// OptionError says that an option makes no sense.
type OptionError struct {
	Option string // the option as the command line calls it: "interp", "name", "prefix", "include", "target" or "target-root"
	Value  string // as it was given
	Why    string // what is wrong with it, or what it can be
}

func (e *OptionError) Error() string { return fmt.Sprintf("%s %q: %s", e.Option, e.Value, e.Why) }

// ConflictError refuses a closure in which a program does not get what it was linked with.
type ConflictError struct {
	Findings []closure.Finding // those that refuse it, sorted as closure.Judge sorts them
}

func (e *ConflictError) Error() string {
	names := make([]string, 0, len(e.Findings))
	for _, f := range e.Findings {
		names = append(names, f.Name)
	}
	return "not bundled: it would not run as it was built, for " + strings.Join(slices.Compact(names), ", ")
}

// Hint says what to do.
func (e *ConflictError) Hint() string {
	return "mend it as said above, keep it with --accept FILE, or give --allow-conflicts to bundle it all the same"
}

// NewPlan decides everything about the bundle of c. It is a pure function of closure and options:
// it reads only what the closure's objects say, and writes nothing. It returns a *ConflictError
// where the loader mixes up copies and that is not allowed, a *closure.NotFoundError where a need
// has no answer, a *closure.ProgramError where a program is none, a *MachineError where programs are for
// several machines, a *TargetError where the target's own C library is asked for and will not do, an
// *OptionError where an option makes no sense, and a *CollisionError where one tree cannot give every
// program its own copy. A closure without programs is an error too.
func NewPlan(c *closure.Closure, opts Options) (*Plan, error) {
	p := &Plan{Name: opts.Name, Prefix: opts.Prefix, Epoch: cmp.Or(opts.Epoch, 1), Strict: opts.Strict, closure: c, Apart: apart(c)}
	if err := p.admit(opts); err != nil {
		return nil, err
	}
	// Beyond this point every need has an answer, and the answers are wanted.
	p.noteWishes()
	if opts.Prefix != "" {
		return p, p.planPrefix(opts)
	}
	p.places = newPlaces(c.StoreDir)
	if err := p.places.putItems(c.Items); err != nil {
		return nil, err
	}
	starts, verdict, err := decideStarts(c, p.places, opts)
	if err != nil {
		return nil, err
	}
	if err := p.judgeTarget(verdict, starts, opts); err != nil {
		return nil, err
	}
	if p.Name == "" {
		p.Name = path.Base(starts[0].entry)
	}
	if p.layout, err = newLayout(c, starts, p.places); err != nil {
		return nil, err
	}
	p.warnLibgcc(starts)
	p.noteLaunchers(starts)
	// Beyond this point every object has its place.
	for _, s := range starts {
		if !s.library {
			p.addProgram(s)
		}
	}
	p.addLibraries()
	p.addItems()
	p.replaceOpened()
	p.sortEntries()
	return p, p.checkNames()
}

// sortEntries completes the entries by their folders. Beyond this point none is added.
func (p *Plan) sortEntries() {
	p.addFolders()
	slices.SortFunc(p.Entries, func(a, b Entry) int { return strings.Compare(a.Path, b.Path) })
}

// admit refuses a closure that must not be packed.
func (p *Plan) admit(opts Options) error {
	if len(p.closure.LinkMaps) == 0 {
		return errors.New("there is no program to make a bundle of")
	}
	if strings.ContainsAny(opts.Name, "/\x00") || opts.Name == "." || opts.Name == ".." {
		return &OptionError{"name", opts.Name, "it must be one folder name"}
	}
	for _, m := range p.closure.LinkMaps {
		if !canStart(m.Program().Object.Info) {
			return &closure.ProgramError{Path: m.Asked, Why: "is a library: nothing can start it", What: "name the program that needs it"}
		}
	}
	if err := p.closure.Missing(); err != nil {
		return err
	}
	if err := oneMachine(p.closure); err != nil {
		return err
	}
	findings, err := closure.Judge(p.closure)
	if err != nil {
		return err
	}
	return p.weigh(findings, opts)
}

// judgeTarget refuses what the target cannot run, and tells what is likely to go wrong there.
func (p *Plan) judgeTarget(v *verdict, starts []*start, opts Options) error {
	p.Target = newManifestTarget(v.port)
	var on closure.Machine
	if v.port != nil {
		on = v.port.Machine(usesSystem(starts))
	}
	findings, err := closure.Audit(p.closure, on)
	if err != nil {
		return err
	}
	if err := p.weigh(findings, opts); err != nil {
		return err
	}
	p.Warnings = append(p.Warnings, v.warnings(starts, p.closure)...)
	return p.warnStatic(starts)
}

// weigh refuses a bundle for what was found, and tells the rest.
func (p *Plan) weigh(findings []closure.Finding, opts Options) error {
	var refused []closure.Finding
	for _, f := range findings {
		_, covered, _ := p.closure.Sift([]closure.Finding{f}, opts.Accept)
		switch {
		case f.Severity > closure.Warning:
		case len(covered) > 0:
			p.Accepted = append(p.Accepted, f)
		case refuses(&f):
			p.Accepted = append(p.Accepted, f)
			refused = append(refused, f)
		default:
			p.Warnings = append(p.Warnings, warning(&f))
			if f.Kind != closure.KindAside { // what does not come along is nothing that a bundle has
				p.warned = append(p.warned, f)
			}
		}
	}
	if len(refused) > 0 && !opts.AllowConflicts {
		return &ConflictError{Findings: refused}
	}
	return nil
}

// fewReferences is how many references two unrelated libraries may share by accident, as strlcpy or
// _Unwind_Resume do in one healthy program in 200: the bundle keeps fewer as they are and tells it.
// One library inside another shares scores. The reader is told the number in cmd/topics/findings.md.
const fewReferences = 10

// isFew reports whether a finding is of so few references that no bundle is refused for it.
func isFew(f *closure.Finding) bool {
	return f.Kind == closure.KindInterposed && f.References < fewReferences
}

// refuses reports whether a finding stands in the way of a bundle.
func refuses(f *closure.Finding) bool { return f.Severity == closure.Error && !isFew(f) }

// warning is a finding that refuses no bundle as a line.
func warning(f *closure.Finding) string {
	line := f.Name + ": " + closure.Behind(f.Name, f.What)
	if f.Severity == closure.Error {
		line += fmt.Sprintf("; it is kept, since fewer than %d references may go astray by accident", fewReferences)
	}
	return line
}

// canStart reports whether the kernel can start a file: one that names an interpreter, or a static
// program.
func canStart(info *elfpatch.Info) bool {
	return info.LoaderPath() != "" || len(info.Needed) == 0 && info.Soname == "" && info.Entry != 0
}

// addProgram adds the entries of one program: the ELF file, and the launcher of a wrapper.
func (p *Plan) addProgram(s *start) {
	o := s.program()
	elf := s.elfPath()
	if at, taken := p.layout.programs[o]; taken && at != elf {
		// A second name of one file, as busybox has many: argv[0] tells it what to be.
		p.add(Entry{Path: elf, Mode: fs.ModeSymlink | 0o777, Link: relative(path.Dir(elf), at)})
	} else if !taken {
		p.layout.programs[o] = elf
		p.add(Entry{Path: elf, Mode: p.mode(o) | 0o111, Object: o, Edit: p.layout.edit(s, o, path.Dir(elf))})
	}
	if s.launched() {
		p.add(Entry{Path: s.entry, Mode: 0o755, Data: p.launcher(s, elf).text()})
	}
	if musl := muslPathFile(o.Info); isMusl(o.Info) && s.ownsLibc() && !p.has(musl) {
		p.add(Entry{Path: musl, Mode: 0o644, Data: []byte{}})
	}
	p.Programs = append(p.Programs, Program{
		Entry: p.in(s.entry), ELF: p.in(elf), Source: s.asked, Strategy: s.strategy, Reason: s.reason, Setup: s.setup,
	})
}

// launcher is what starts a program whose ELF file is at elf.
func (p *Plan) launcher(s *start, elf string) *launcher {
	loader := ""
	if s.strategy == StrategyWrapper {
		loader = p.layout.place[s.linkMap.Interp.Object]
	}
	return newLauncher(s.entry, elf, s.strategy, loader, &s.linkMap.Loader, s.setup)
}

// addLibraries adds every object that is not a program, and the links that needs find it by.
func (p *Plan) addLibraries() {
	for _, h := range p.layout.homes {
		file := path.Join(h.folder, h.base)
		p.add(Entry{
			Path: file, Mode: p.mode(h.object) | h.exec, Object: h.object,
			Edit: p.layout.edit(p.layout.starter[h.object], h.object, h.folder),
		})
		for _, name := range h.links {
			p.add(Entry{Path: path.Join(h.folder, name), Mode: fs.ModeSymlink | 0o777, Link: h.base})
		}
	}
}

// addFolders adds the folders that the entries stand in.
func (p *Plan) addFolders() {
	seen := map[string]bool{".": true}
	for _, e := range p.Entries {
		if e.Mode.IsDir() {
			seen[e.Path] = true
		}
	}
	for _, e := range slices.Clone(p.Entries) {
		for dir := path.Dir(e.Path); !seen[dir]; dir = path.Dir(dir) {
			seen[dir] = true
			p.Entries = append(p.Entries, Entry{Path: dir, Mode: fs.ModeDir | 0o755})
		}
	}
}

// add appends an entry, given relative to the bundle's folder.
func (p *Plan) add(e Entry) {
	e.Path = p.in(e.Path)
	if e.Object != nil {
		e.patched = &patched{}
	}
	p.Entries = append(p.Entries, e)
}

// has reports whether there is an entry of that path, given as to add.
func (p *Plan) has(rel string) bool {
	return slices.ContainsFunc(p.Entries, func(e Entry) bool { return e.Path == p.in(rel) })
}

// in is a path of the bundle: below its folder.
func (p *Plan) in(rel string) string { return path.Join(p.Name, rel) }

// mode is the mode an object has in a bundle: the store's 0555 and 0444 become 0755 and 0644, so
// that a user can remove it again, and set-id bits are dropped, since a bundle is unpacked by
// somebody else and the loader ignores $ORIGIN in such a program (ld.so(8)).
func (p *Plan) mode(o *closure.Object) fs.FileMode {
	if o.Mode&(fs.ModeSetuid|fs.ModeSetgid) != 0 {
		p.Warnings = append(p.Warnings, o.Path+": set-id bits dropped: the loader ignores $ORIGIN in a set-id program")
	}
	if o.Mode&0o111 != 0 {
		return 0o755
	}
	return 0o644
}

// checkNames refuses two entries of one path: what the layout could not keep apart.
func (p *Plan) checkNames() error {
	for i := 1; i < len(p.Entries); i++ {
		a, b := &p.Entries[i-1], &p.Entries[i]
		if a.Path == b.Path {
			return &CollisionError{Path: a.Path, Sources: []string{a.source(), b.source()}}
		}
	}
	return nil
}

// source says where an entry comes from, for a reader.
func (e *Entry) source() string {
	switch {
	case e.Object != nil:
		return e.Object.Path
	case e.Link != "":
		return "a link to " + e.Link
	case e.Mode.IsDir():
		return "a folder"
	}
	return "a launcher"
}

// CollisionError says that two entries want one name in the archive (a conflict is another thing, in
// a process).
type CollisionError struct {
	Path    string   // in the bundle
	Sources []string // what wants it
}

func (e *CollisionError) Error() string {
	return fmt.Sprintf("%s: wanted by %s", e.Path, strings.Join(e.Sources, " and by "))
}
