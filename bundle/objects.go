package bundle

import (
	"bytes"
	"path"
	"slices"
	"strings"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch"
)

// readObjects reads the facts of every ELF file.
func (v *verifier) readObjects() error {
	var reader elfpatch.Reader
	v.programs = map[*verified]Strategy{}
	for _, p := range v.manifest.Programs {
		if e, err := v.resolve(p.ELF); err == nil {
			v.programs[e] = p.Strategy
		}
	}
	for _, e := range v.order {
		if e.content == nil {
			continue
		}
		if err := v.ctx.Err(); err != nil {
			return err
		}
		head := make([]byte, len(elfMagic))
		_, _ = e.content.ReadAt(head, 0)
		if !bytes.Equal(head, []byte(elfMagic)) {
			if e.Source != "" && v.mustLoad(e) {
				v.broken(KindObject, e.Path, "%s is not an ELF file, and in the manifest it is from %s", e.Path, clip(e.Source))
			}
			continue
		}
		info, err := reader.Read(e.content, e.content.Size())
		switch {
		case err == nil:
			e.info = info
		case v.mustLoad(e):
			v.broken(KindObject, e.Path, "%s cannot be read: %v", e.Path, err)
		}
	}
	return nil
}

// mustLoad reports whether an entry is where only programs and libraries are, or was edited as one.
func (v *verifier) mustLoad(e *verified) bool {
	return v.isLibrary(e) || v.isEntry(e) || slices.ContainsFunc(e.Edits, func(c Change) bool { return c.What != "text" })
}

// checkObjects looks at every ELF file that a loader maps. Others are data, such as a program for another machine
// in a folder that was taken along.
func (v *verifier) checkObjects() error {
	for _, e := range v.order {
		v.checkSource(e)
		if !v.maps(e) {
			continue
		}
		if err := v.checkDefects(e); err != nil {
			return err
		}
		v.checkEdits(e)
		v.checkSoname(e)
	}
	v.checkMachine()
	return nil
}

// maps reports whether an entry is an ELF file that a loader maps: a program, what programs load at start, or a
// library for their machine that they may open.
func (v *verifier) maps(e *verified) bool {
	return e.info != nil && (v.programs[e] != "" || v.loaded[e] || v.mustLoad(e) || v.opened[e])
}

// isLibrary reports whether an entry is where programs have their libraries.
func (v *verifier) isLibrary(e *verified) bool {
	return strings.HasPrefix(e.Path, v.manifest.Name+"/"+libDir+"/")
}

// isEntry reports whether an entry is what a user starts: a program, or a launcher, which nixbundle makes. In a
// bundle that has its place it may be a wrapper of the store.
func (v *verifier) isEntry(e *verified) bool {
	return v.manifest.Prefix == "" && slices.ContainsFunc(v.manifest.Programs, func(p ManifestProgram) bool { return p.Entry == e.Path })
}

// checkDefects finds what kernel and loader stumble over in a file.
func (v *verifier) checkDefects(e *verified) error {
	defects, err := elfpatch.Check(e.content, e.content.Size())
	if err != nil {
		return err
	}
	for _, d := range defects[:min(len(defects), maxDefects)] {
		v.broken(KindObject, e.Path, "%s: %v", e.Path, d)
	}
	return nil
}

// maxDefects is how many defects of one file are told.
const maxDefects = 3

const elfMagic = "\x7fELF"

// checkMachine finds files that are not for the machine of the first program.
func (v *verifier) checkMachine() {
	var first *verified
	for _, p := range v.manifest.Programs {
		if e, err := v.resolve(p.ELF); err == nil && e.info != nil {
			first = e
			break
		}
	}
	if first == nil {
		return
	}
	for _, e := range v.order {
		if v.maps(e) && !sameMachine(e.info, first.info) {
			v.broken(closure.KindWrongMachine, e.Path, "%s is for %s, and %s for %s",
				e.Path, machineText(e.info), first.Path, machineText(first.info))
		}
	}
}

func sameMachine(a, b *elfpatch.Info) bool {
	return a.Machine == b.Machine && a.Class == b.Class && a.Data == b.Data
}

// checkSource holds what the manifest says a file is from against itself.
func (v *verifier) checkSource(e *verified) {
	switch sp := strings.TrimSuffix(e.StorePath, "/"); {
	case sp != "" && e.Source != sp && !strings.HasPrefix(e.Source, sp+"/"):
		v.broken(KindManifest, e.Path, "%s is from %q in the manifest, which is not in its store path %s", e.Path, clip(e.Source), clip(sp))
	case e.Source == "" && e.info != nil:
		v.broken(KindManifest, e.Path, "%s is an ELF file, and the manifest does not say what it was made of", e.Path)
	}
}

// checkEdits holds what the manifest says was changed in a file against what the file has.
func (v *verifier) checkEdits(e *verified) {
	for _, c := range e.Edits {
		if got, ok := c.holds(e.info); !ok {
			v.broken(KindManifest, e.Path, "%s has the %s %q, and in the manifest it was changed to %q", e.Path, c.What, got, clip(c.To))
		}
	}
}

// holds reports whether a file is as a change has left it, and what it has.
func (c *Change) holds(i *elfpatch.Info) (got string, ok bool) {
	switch c.What {
	case "interp":
		got = i.Interp
	case "loader":
		if i.Stub != nil {
			got = i.Stub.Loader
		}
	case "soname":
		got = i.Soname
	case "rpath":
		got = i.RPath
	case "runPath":
		got = i.RunPath
	case "needed":
		for _, n := range i.Needed {
			if n == c.To || c.To == "" && n == c.From {
				got = n
			}
		}
	default:
		return "", true // of a later version
	}
	return clip(got), got == c.To
}

// checkSoname finds a library that nobody can find by the name that it gives itself.
func (v *verifier) checkSoname(e *verified) {
	soname := path.Base(e.info.Soname)
	if e.info.Soname == "" || v.programs[e] != "" || !v.isLibrary(e) {
		return
	}
	if at, err := v.resolve(path.Join(path.Dir(e.Path), soname)); err != nil || at.inode() != e.inode() {
		v.broken(KindObject, e.Path, "%s calls itself %s (DT_SONAME), and nothing of that name leads to it", e.Path, clip(e.info.Soname))
	}
}
