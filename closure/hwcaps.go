package closure

import (
	"debug/elf"
	"fmt"
	"path"
	"slices"

	"github.com/nixbundle/nixbundle/elfpatch"
)

// isaLevels are the directories below glibc-hwcaps/ of each machine, best first; a processor that
// has one has those behind it (glibc sysdeps/*/dl-hwcaps-subdirs.c). Others have none.
var isaLevels = map[elf.Machine][]string{
	elf.EM_X86_64: {"x86-64-v4", "x86-64-v3", "x86-64-v2"},
	elf.EM_PPC64:  {"power10", "power9"},
	elf.EM_S390:   {"z17", "z16", "z15", "z14", "z13"},
}

// legacyCaps are, up to glibc 2.36, the names of directories of each machine: capabilities in the
// order of their bits, and platforms, of which a processor has one (glibc sysdeps/*/dl-procinfo.c;
// HWCAP_IMPORTANT). always are those that every processor has.
var legacyCaps = map[elf.Machine]struct{ caps, platforms, always []string }{
	elf.EM_X86_64:  {[]string{"x86_64", "avx512_1"}, []string{"x86_64", "haswell", "xeon_phi"}, []string{"x86_64"}},
	elf.EM_386:     {[]string{"sse2"}, []string{"i586", "i686"}, nil},
	elf.EM_AARCH64: {[]string{"atomics"}, []string{"aarch64"}, []string{"aarch64"}},
	elf.EM_ARM:     {[]string{"vfp", "neon"}, []string{"v6l", "v7l", "v8l"}, nil},
}

// checkHWCaps refuses a name that no machine has.
func checkHWCaps(names []string) error {
	for _, name := range names {
		known := false
		for _, levels := range isaLevels {
			known = known || slices.Contains(levels, name)
		}
		for _, legacy := range legacyCaps {
			known = known || slices.Contains(legacy.caps, name) || slices.Contains(legacy.platforms, name)
		}
		if !known {
			return fmt.Errorf("hwcaps %q: the loader looks into no directory of that name", name)
		}
	}
	return nil
}

// platformOf is $PLATFORM on a processor that has caps.
func platformOf(info *elfpatch.Info, caps []string) string {
	for _, name := range legacyCaps[info.Machine].platforms {
		if slices.Contains(caps, name) {
			return name
		}
	}
	if info.Machine == elf.EM_X86_64 {
		return "x86_64"
	}
	return ""
}

// processor is what the loader of one process knows of the machine's processor.
type processor struct {
	levels []string // directories below glibc-hwcaps/ that it takes, best first
	legacy []string // legacy directories that it takes, in order
	others []string // directories that the loader would take on another processor
	names  []string // first components of all of them
}

// learnProcessor fills what the loader knows of a processor that has caps.
func learnProcessor(l *Loader, info *elfpatch.Info, caps []string) processor {
	var c processor
	if l.does(hwcapsDirs) {
		all := isaLevels[info.Machine]
		c.levels = all[len(all):]
		for i, level := range all {
			if len(c.levels) == 0 && slices.Contains(caps, level) {
				c.levels = all[i:]
			}
		}
		for _, level := range all[:len(all)-len(c.levels)] {
			c.others = append(c.others, "glibc-hwcaps/"+level)
		}
		if len(all) > 0 {
			c.names = append(c.names, "glibc-hwcaps")
		}
	}
	if l.does(legacyDirs) {
		c.learnLegacy(info.Machine, caps)
	}
	return c
}

// learnLegacy lists every combination of tls, the platform and the capabilities, in that order in a
// path, the longest first (glibc 2.36 elf/dl-hwcaps.c: _dl_important_hwcaps).
func (c *processor) learnLegacy(machine elf.Machine, caps []string) {
	known := legacyCaps[machine]
	has := func(name string) bool { return slices.Contains(caps, name) || slices.Contains(known.always, name) }
	var parts []string // the least first
	for _, name := range known.caps {
		if has(name) {
			parts = append(parts, name)
		}
	}
	for _, name := range slices.Backward(known.platforms) { // a named one before the plain one
		if has(name) {
			parts = append(parts, name)
			break
		}
	}
	parts = append(parts, "tls")
	for set := 1<<len(parts) - 1; set > 0; set-- {
		var dir string
		for i, part := range slices.Backward(parts) {
			if set&(1<<i) != 0 {
				dir = path.Join(dir, part)
			}
		}
		if !slices.Contains(c.legacy, dir) {
			c.legacy = append(c.legacy, dir)
		}
	}
	for _, name := range slices.Concat(known.caps, known.platforms) {
		if !slices.Contains(parts, name) {
			c.others = append(c.others, name, "tls/"+name)
		}
	}
	c.names = append(append(append(c.names, "tls"), known.caps...), known.platforms...)
}

// subdirs are the directories inside a search directory that are looked into before it, and those
// that are there for another processor.
type subdirs struct{ taken, others []place }

// subdirs gives those of a search directory that are there; nil for nearly every directory.
func (p *process) subdirs(pl *place) *subdirs {
	d := pl.dir
	if d == nil || d.err != nil {
		return nil
	}
	if d.process != p {
		d.process, d.subs = p, nil
		if p.mayVary(d) {
			d.subs = p.findSubdirs(pl)
		}
	}
	return d.subs
}

func (p *process) findSubdirs(pl *place) *subdirs {
	s := &subdirs{}
	add := func(list []place, name string) []place {
		text := pl.text + name + "/"
		if dir := p.directory(text); dir.err == nil {
			list = append(list, place{text: text, dir: dir})
		}
		return list
	}
	for _, level := range p.cpu.levels {
		s.taken = add(s.taken, "glibc-hwcaps/"+level)
	}
	for _, name := range p.cpu.legacy {
		s.taken = add(s.taken, name)
	}
	for _, name := range p.cpu.others {
		s.others = add(s.others, name)
	}
	return s
}

// mayVary reports whether a directory has such directories, or something of their names, inside.
func (p *process) mayVary(d *directory) bool {
	if len(p.cpu.names) == 0 {
		return false
	}
	p.list(d.node)
	for _, name := range p.cpu.names {
		if _, err := p.kid(d.node, name); err == nil {
			return true
		}
	}
	return false
}

// varies notes in a need the files that the loader would take on another processor.
func (p *process) varies(n *Need, l list, places []place, name string) {
	for _, pl := range places {
		if object, _, err := p.try(pl, name); err == nil && object != nil {
			n.Varies = append(n.Varies, Candidate{Path: pl.path(name), Rule: l.rule, Why: "for another processor", Object: object})
		}
	}
}

// rank is the place of a glibc-hwcaps name among those taken; ok is false when it is not.
func (c *processor) rank(name string) (int, bool) {
	i := slices.Index(c.levels, name)
	return i, i >= 0
}
