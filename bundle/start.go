package bundle

import (
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

// Strategy is how a program in a bundle finds its loader (ld.so). PT_INTERP cannot be relative to
// the program: the kernel takes it relative to the current directory (fs/binfmt_elf.c).
type Strategy string

// The strategies. As Options.Interp the last one is the path itself.
const (
	StrategyNone    Strategy = "none"    // a static program needs no loader
	StrategySystem  Strategy = "system"  // PT_INTERP is the ABI's path; the target's C library is used
	StrategyStub    Strategy = "stub"    // code in the program starts the packed ld.so
	StrategyWrapper Strategy = "wrapper" // a launcher in sh starts the packed ld.so
	StrategyPath    Strategy = "path"    // PT_INTERP is a path that the user named
)

// Auto leaves the choice of the strategy to the program.
const Auto = "auto"

// start is one program with the decision of how it starts; its paths are relative to the bundle's
// folder.
type start struct {
	linkMap  *closure.LinkMap
	strategy Strategy
	reason   string
	interp   string           // what PT_INTERP becomes; "" where there is none
	asked    string           // the program as the user named it
	entry    string           // "bin/sensor"
	setup    *wrapper.Wrapper // what a launcher does before it; nil where nothing is

	libgcc  *closure.Object // libgcc_s.so.1, where glibc alone will open it; else nil
	library bool            // it is no program but a library that one may open
	opener  *start          // of a library: the program in whose process it is proven; nil where there is none
}

func (s *start) program() *closure.Object { return s.linkMap.Program().Object }

// starts reports whether an object is what the process starts from.
func (s *start) starts(o *closure.Object) bool { return !s.library && o == s.program() }

// launched reports whether a launcher starts the program.
func (s *start) launched() bool { return s.strategy == StrategyWrapper || s.setup != nil }

// elfPath is where the ELF file goes: the entry itself, or libexec/ behind a launcher.
func (s *start) elfPath() string {
	if s.launched() {
		return path.Join("libexec", strings.TrimPrefix(s.entry, "bin/"))
	}
	return s.entry
}

// ownsLibc reports whether the bundle brings this program's C library. It is never split: all of
// it, or none of it.
func (s *start) ownsLibc() bool {
	return s.strategy == StrategyStub || s.strategy == StrategyWrapper || s.strategy == StrategyPath
}

// packs reports whether the bundle brings an object for this program.
func (s *start) packs(o *closure.Object) bool {
	if s.ownsLibc() {
		return true
	}
	interp := s.linkMap.Interp
	return !closure.InLibc(o.Info) && (interp == nil || interp.Object != o)
}

// decideStarts chooses the strategy of every program. One that is named twice counts once, and two
// of one name cannot both have it. Libraries that are taken along for themselves come last.
func decideStarts(c *closure.Closure, at *places, opts Options) ([]*start, *verdict, error) {
	starts, err := newStarts(c, at)
	if err != nil {
		return nil, nil, err
	}
	libraries := newLibraries(c)
	v, err := newVerdict(slices.Concat(starts, libraries), opts)
	if err != nil {
		return nil, nil, err
	}
	for _, s := range starts {
		if err := s.decide(opts.Interp, v); err != nil {
			return nil, nil, err
		}
	}
	for _, s := range libraries {
		s.startAs(starts)
	}
	return append(starts, libraries...), v, checkInterpPath(starts)
}

// newStarts are the programs of a closure, each with its entry.
func newStarts(c *closure.Closure, at *places) ([]*start, error) {
	var starts []*start
	for _, m := range c.LinkMaps {
		s := &start{linkMap: m, asked: m.Asked, entry: programEntry(c.StoreDir, m)}
		if place, ok := at.find(m.Asked); ok && m.Helper {
			s.entry = place
		}
		if i := slices.IndexFunc(starts, func(have *start) bool { return have.entry == s.entry }); i >= 0 {
			if starts[i].program() == s.program() {
				continue
			}
			return nil, &CollisionError{Path: s.entry, Sources: []string{starts[i].asked, s.asked}}
		}
		starts = append(starts, s)
	}
	at.putStarts(starts)
	// Beyond this point every text has its place.
	for _, s := range starts {
		s.setup = at.setup(s.linkMap.Setup)
	}
	return starts, nil
}

// newLibraries are the libraries of a closure that are taken along for themselves.
func newLibraries(c *closure.Closure) []*start {
	var list []*start
	for _, m := range c.Libraries {
		if m.Err == nil {
			list = append(list, &start{linkMap: m, asked: m.Asked, library: true})
		}
	}
	return list
}

// startAs gives a library the loader of the first program whose process may open it.
func (s *start) startAs(programs []*start) {
	s.strategy = StrategyStub
	for _, p := range programs {
		if interp := s.linkMap.Interp; p.dynamic() && interp != nil && p.linkMap.Interp != nil && interp.Object == p.linkMap.Interp.Object {
			s.strategy, s.interp, s.opener = p.strategy, p.interp, p
			return
		}
	}
}

// decide chooses how one program starts.
func (s *start) decide(interp string, v *verdict) error {
	abi := systemInterp(s.program().Info)
	switch {
	case !s.dynamic():
		s.strategy, s.reason = StrategyNone, s.linkage()
	case interp == string(StrategySystem) || interp == abi:
		if err := s.decideSystem(abi, v); err != nil {
			return err
		}
	case (interp == "" || interp == Auto) && v.port != nil && len(v.unmet) == 0:
		s.strategy, s.interp, s.reason = StrategySystem, abi, v.met()
	case interp == "" || interp == Auto:
		if err := s.bringLibc(abi, v); err != nil {
			return err
		}
	case interp == string(StrategyStub):
		s.strategy, s.reason = StrategyStub, "asked for"
		if err := s.tryStub(); err != nil {
			return err
		}
	case interp == string(StrategyWrapper):
		s.strategy, s.interp, s.reason = StrategyWrapper, abi, "asked for"
	case path.IsAbs(interp):
		s.strategy, s.interp, s.reason = StrategyPath, interp, "asked for: a fixed place"
	default:
		return &OptionError{"interp", interp, "it is auto, system, stub, wrapper, or an absolute path"}
	}
	if also := s.linkage(); s.dynamic() && also != "" {
		s.reason += "; " + also
	}
	return nil
}

// decideSystem takes the target's own C library, as asked.
func (s *start) decideSystem(abi string, v *verdict) error {
	if len(v.unmet) > 0 {
		return &TargetError{Port: v.port, Unmet: v.unmet, Fits: v.fits}
	}
	s.strategy, s.interp, s.reason = StrategySystem, abi, "asked for: the target's own C library is used"
	if v.port != nil {
		s.reason = "asked for: " + v.met()
	}
	return nil
}

// bringLibc starts a program with its own C library: by a stub, or by a launcher where no stub can
// be put into the program.
func (s *start) bringLibc(abi string, v *verdict) error {
	s.reason = "it brings its own C library, " + v.why()
	err := s.tryStub()
	switch {
	case err == nil:
		s.strategy = StrategyStub
	case errors.Is(err, elfpatch.ErrUnsupported):
		s.strategy, s.interp = StrategyWrapper, abi
		s.reason += "; no start stub: " + strings.TrimPrefix(err.Error(), elfpatch.ErrUnsupported.Error()+": ")
	default:
		return err
	}
	return nil
}

// tryStub says why a program cannot have a start stub. Only the file itself can tell.
func (s *start) tryStub() error {
	o := s.program()
	f, err := o.Open()
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = elfpatch.Apply(f, o.Size, elfpatch.Edit{Loader: "../lib/" + path.Base(o.Interp())})
	return err
}

// checkInterpPath refuses a path for PT_INTERP at which the bundle's loader cannot be: one path is one
// loader, and the loader keeps its name.
func checkInterpPath(starts []*start) error {
	var first *start
	for _, s := range starts {
		if s.strategy != StrategyPath {
			continue
		}
		loader := s.linkMap.Interp
		if names := loaderNames(loader); path.Clean(s.interp) != s.interp || !slices.Contains(names, path.Base(s.interp)) {
			return &OptionError{"interp", s.interp, "the loader that the bundle brings is lib/" + names[0] + ": end the path in that"}
		}
		if first == nil {
			first = s
		}
		if loader.Object != first.linkMap.Interp.Object {
			return &OptionError{"interp", s.interp, fmt.Sprintf("%s needs %s and %s needs %s, and one path is one loader: make two bundles",
				first.asked, first.linkMap.Interp.Object.Path, s.asked, loader.Object.Path)}
		}
	}
	return nil
}

// loaderNames is every name of ld.so in a bundle; the one that programs have in PT_INTERP first.
func loaderNames(l *closure.Loaded) []string {
	names := []string{path.Base(l.Path), path.Base(l.Object.Path)}
	if soname := l.Object.Info.Soname; soname != "" {
		names = append(names, path.Base(soname))
	}
	return names
}

// programEntry keeps a program's place under bin/: bin/linux-aarch64/ioc stays so. What a wrapper
// hides as .sensor-wrapped is sensor again.
func programEntry(storeDir string, m *closure.LinkMap) string {
	dir := "bin"
	if _, rest, ok := closure.ParseStorePath(storeDir, m.Asked); ok && strings.HasPrefix(rest, "/bin/") {
		dir = path.Dir(rest[1:])
	}
	return path.Join(dir, unwrappedName(path.Base(m.Asked)))
}

// unwrappedName is a file name without what nixpkgs' makeWrapper makes of the name of a program
// that it puts a wrapper in front of: ".sensor-wrapped", and with underscores for further ones.
func unwrappedName(name string) string {
	for {
		inner, hidden := strings.CutPrefix(name, ".")
		inner, wrapped := strings.CutSuffix(strings.TrimRight(inner, "_"), "-wrapped")
		if !hidden || !wrapped || inner == "" {
			return name
		}
		name = inner
	}
}

// systemInterp is where every distribution has the loader: the file that the program names, in the
// folder that the ABI gives it.
func systemInterp(info *elfpatch.Info) string {
	dir := "/lib"
	if abi := closure.ABIInterp(info); abi != "" && !isMusl(info) {
		dir = path.Dir(abi)
	}
	return path.Join(dir, path.Base(info.LoaderPath()))
}

func olderThan(v [2]int, major, minor int) bool {
	return v[0] < major || v[0] == major && v[1] < minor
}

// isMusl reports whether a program starts by musl's loader.
func isMusl(info *elfpatch.Info) bool {
	return strings.HasPrefix(path.Base(info.LoaderPath()), "ld-musl-")
}

// muslPathFile is the file that musl reads for its system directories: <P>/etc/ld-musl-ARCH.path,
// P being two levels above the loader. An empty one means none; without it the target's own /lib
// would be searched, with no look at the machine (musl ldso/dynlink.c: load_library).
func muslPathFile(info *elfpatch.Info) string {
	return path.Join("etc", strings.TrimSuffix(path.Base(info.LoaderPath()), ".so.1")+".path")
}

// executable is the mode bits that a loader needs to be started by a launcher.
const executable fs.FileMode = 0o111
