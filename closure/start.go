package closure

import (
	"debug/elf"
	"strings"

	"github.com/nixbundle/nixbundle/closure/wrapper"
	"github.com/nixbundle/nixbundle/elfpatch"
)

// start learns the program's loader and puts it second on the list, as rtld does before it looks
// at the first need. It reports whether anything is to be loaded.
func (p *process) start(interp string) bool {
	info := p.m.Program().Object.Info
	if interp == "" {
		if interp = libraryInterp(info); interp == "" {
			return false
		}
	}
	p.m.Loader = p.loader(interp, info)
	if p.opts.Loader != nil {
		p.m.Loader = *p.opts.Loader
	}
	if l := &p.m.Loader; l.Platform == "" && p.opts.HWCaps != nil {
		l.Platform = platformOf(info, p.opts.HWCaps)
	}
	p.cpu = learnProcessor(&p.m.Loader, info, p.opts.HWCaps)
	p.setOrder()
	for _, dir := range p.m.Loader.DefaultDirs {
		dir = strings.TrimRight(dir, "/") + "/"
		p.system = append(p.system, place{text: dir, dir: p.directory(dir)})
	}
	if n, err := p.walk(interp); err == nil && interp[0] == '/' {
		if object, err := p.object(n); err == nil {
			p.m.Interp = &Loaded{Object: object, Path: interp}
			p.create(p.m.Interp)
			if so := object.Info.Soname; so != "" {
				p.rename(1, so)
			}
		}
	}
	return true
}

// setOrder sets the order of search and what LD_LIBRARY_PATH adds to it. Its tokens are expanded for
// the program.
func (p *process) setOrder() {
	env := list{rule: RuleLibraryPath}
	if p.m.Loader.Kind == LoaderMusl {
		p.order = muslOrder
		env.places = p.muslPlaces(p.givenPath())
	} else {
		p.order = glibcOrder
		p.name(0, "") // the program's name is empty: an empty DT_NEEDED is itself
		env.places = p.pathList(p.givenPath(), p.m.Program(), ":;")
	}
	if env.places != nil {
		p.env = []list{env}
	}
}

// givenPath is LD_LIBRARY_PATH as the program sees it, whose wrappers may change it.
func (p *process) givenPath() string {
	return p.m.variable("LD_LIBRARY_PATH", p.opts.LibraryPath)
}

// variable is a variable as a program sees it that is started where it has that value, "" being none.
func (m *LinkMap) variable(name, value string) string {
	if m.Setup == nil {
		return value
	}
	value, _ = wrapper.Variable(m.Setup.Env, name, value, value != "")
	return value
}

// libraryInterp is the loader that ldd would take for a library, which names none: that of its
// ABI. A static-pie program has none either and says what it is (DF_1_PIE).
func libraryInterp(info *elfpatch.Info) string {
	if !info.Dynamic || info.DynFlags1&elf.DF_1_PIE != 0 {
		return ""
	}
	machine := abiOf(info)
	for _, name := range info.Needed {
		if (name == "libc.so" || strings.HasPrefix(name, "libc.musl-")) && machine.musl != "" {
			return "/lib/ld-musl-" + machine.musl + ".so.1"
		}
	}
	if machine.interp == "" {
		return "/lib/ld.so.1"
	}
	return machine.interp
}

// loader learns the loader that interp names.
func (w *walker) loader(interp string, info *elfpatch.Info) Loader {
	n, err := w.walk(interp)
	if kindOf(interp) == LoaderMusl {
		l := usual(interp, info)
		l.DefaultDirs = w.muslSystem(interp)
		return l
	}
	if err != nil {
		return usual(interp, info)
	}
	if l, ok := w.loaders[n]; ok {
		return l
	}
	text, err := w.readFile(n, maxLoader)
	if err != nil {
		return usual(interp, info)
	}
	l := learn(text, interp, info, func() [2]int { return w.silentVersion(n, text) })
	w.loaders[n] = l
	return l
}
