package closure

import (
	"errors"
	"io/fs"
	"path"
	"strings"
)

// musl (ldso/dynlink.c, 1.2.5) searches in its own way: run paths of both kinds are inherited from
// every loader, a soname is never read, and neither class nor machine is looked at.
var muslOrder = []source{
	(*process).libraryPath, // LD_LIBRARY_PATH goes first
	(*process).muslChain,
	(*process).muslDefaults,
}

// muslReserved are the names that musl keeps for itself, whatever follows the dot
// (ldso/dynlink.c: load_library).
var muslReserved = []string{"libc.", "libpthread.", "librt.", "libm.", "libdl.", "libutil.", "libxnet."}

// resolveMusl answers a need (ldso/dynlink.c: load_library).
func (p *process) resolveMusl(n *Need) error {
	if p.m.Interp != nil && p.muslSelf(n.Name) {
		p.answer(n, p.m.Interp, RuleInterp)
		n.Path = n.To.Path
		return nil
	}
	if i, ok := p.names[n.Name]; ok && !strings.Contains(n.Name, "/") && i > 0 {
		p.answer(n, p.all[i], RuleLoadedName)
		n.Path = n.To.Path
		return nil
	}
	hit, err := p.search(n.Name, n.by, n)
	if err != nil {
		return p.stop(n, err)
	}
	if hit.object != nil {
		p.takeMusl(n, hit)
	}
	return nil
}

func (p *process) muslSelf(name string) bool {
	for _, r := range muslReserved {
		if strings.HasPrefix(name, r) {
			return true
		}
	}
	return name == p.m.Interp.Path
}

// takeMusl answers a need with a file that was opened. A later need finds it only by a name that
// was searched for, the file's own: one opened by its path has no such name yet.
func (p *process) takeMusl(n *Need, h hit) {
	n.Rule, n.Path, n.Via = h.rule, h.path, h.via
	at := -1
	for i, l := range p.all {
		if l.Object == h.object && i > 0 {
			at = i
			break
		}
	}
	if at < 0 {
		l := &Loaded{Object: h.object, Path: h.path, By: n, Opened: p.opening, parent: n.parent}
		p.all = append(p.all, l)
		at = len(p.all) - 1
		p.readNeeds(l)
	}
	n.To = p.all[at]
	if !strings.Contains(n.Name, "/") && len(n.To.Names) == 0 {
		p.rename(at, path.Base(n.To.Path))
	}
}

// muslChain is the run path of the requester, of who brought it, and so on to the program;
// DT_RUNPATH where there is one, else DT_RPATH (ldso/dynlink.c: fixup_rpath).
func (p *process) muslChain(by *Loaded, _ string) []list {
	if by == nil {
		return nil // a preload
	}
	s := &by.search
	if s.split {
		return s.runPath
	}
	s.split = true
	for at := by; at != nil; at = at.parent {
		info := at.Object.Info
		switch {
		case info.HasRunPath:
			s.runPath = append(s.runPath, list{rule: RuleRunPath, via: at, places: p.muslList(info.RunPath, at)})
		case info.HasRPath:
			s.runPath = append(s.runPath, list{rule: RuleRPath, via: at, places: p.muslList(info.RPath, at)})
		}
	}
	return s.runPath
}

// muslList splits a run path. Only $ORIGIN and ${ORIGIN} are tokens, and without regard to what
// follows; any other '$' voids the whole list. Empty elements are skipped.
func (p *process) muslList(s string, by *Loaded) []place {
	rest := strings.NewReplacer("${ORIGIN}", "", "$ORIGIN", "").Replace(s)
	if strings.Contains(rest, "$") {
		return []place{{text: s, never: "musl drops a run path with another token than $ORIGIN"}}
	}
	dir := strings.TrimRight(by.Path[:strings.LastIndex(by.Path, "/")+1], "/")
	s = strings.NewReplacer("${ORIGIN}", dir, "$ORIGIN", dir).Replace(s)
	return p.muslPlaces(s)
}

func (p *process) muslPlaces(s string) []place {
	var places []place
	for _, dir := range strings.FieldsFunc(s, func(r rune) bool { return r == ':' || r == '\n' }) {
		if dir[0] != '/' {
			places = append(places, place{text: dir, never: "relative to the current directory"})
			continue
		}
		places = append(places, place{text: dir + "/", dir: p.directory(dir + "/")})
	}
	return places
}

func (p *process) muslDefaults(*Loaded, string) []list {
	return []list{{rule: RuleDefault, places: p.system}}
}

// muslSystem is the system path of the musl that interp names: what
// <prefix>/etc/ld-musl-<arch>.path says, where an empty file means no path at all, else /lib,
// /usr/local/lib and /usr/lib. The prefix is interp without its last two components.
func (w *walker) muslSystem(interp string) []string {
	arch := strings.TrimPrefix(path.Base(interp), "ld-musl-")
	arch, _, _ = strings.Cut(arch, ".so")
	prefix := origin(origin(interp))
	if prefix == "/" {
		prefix = ""
	}
	const limit = 1 << 20
	n, err := w.walk(prefix + "/etc/ld-musl-" + arch + ".path")
	if err == nil {
		var text []byte
		if text, err = w.readFile(n, limit); err == nil {
			return strings.FieldsFunc(string(text), func(r rune) bool { return r == ':' || r == '\n' })
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return []string{"/lib", "/usr/local/lib", "/usr/lib"}
	}
	return nil
}
