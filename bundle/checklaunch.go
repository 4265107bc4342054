package bundle

import (
	"fmt"
	"path"
	"strings"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/closure/wrapper"
)

// started is the path by which a program is walked: its ELF file's, which a launcher starts; in a bundle that has
// its place the entry's, which may be a wrapper of the store.
func (v *verifier) started(s *starting) string {
	if v.manifest.Prefix != "" {
		return path.Join(v.base(), s.Entry)
	}
	return path.Join(v.base(), s.elf.Path)
}

// checkLaunch checks that what the user starts comes to the ELF file that the manifest names, by interpreters
// that are in the bundle.
func (v *verifier) checkLaunch(s *starting, m *closure.LinkMap) {
	if at := v.rel(m.Program().Path); at != s.elf.Path {
		v.cannotStart(s, fmt.Sprintf("%s starts %s, and in the manifest %s", s.Entry, clip(at), s.ELF))
	}
	v.checkEnvironment(s, m.Setup)
	if m.Launch == nil {
		return
	}
	for _, step := range m.Launch.Steps {
		if len(step.Interp) > 0 && step.Interp[0] != "/bin/sh" {
			v.checkShell(s, &step)
		}
	}
}

// checkShell checks the interpreter of a wrapper.
func (v *verifier) checkShell(s *starting, step *closure.LaunchStep) {
	at := path.Clean(step.Interp[0])
	shell, err := v.resolve(v.rel(at))
	switch {
	case v.rel(at) == at:
		v.broken(KindLeaves, v.rel(step.Path), "%s is a script for %s, which the machine decides", v.rel(step.Path), clip(at))
	case err != nil:
		v.cannotStart(s, fmt.Sprintf("%s is a script for %s, %v", v.rel(step.Path), clip(at), err))
	case shell.info == nil || shell.mode&0o111 == 0:
		v.cannotStart(s, fmt.Sprintf("%s is a script for %s, which is no program", v.rel(step.Path), shell.Path))
	case !sameMachine(shell.info, s.elf.info):
		v.cannotStart(s, fmt.Sprintf("%s is a script for %s, which is for %s, and the program for %s",
			v.rel(step.Path), shell.Path, machineText(shell.info), machineText(s.elf.info)))
	}
}

// checkEnvironment tells where the loader would look beside the bundle, since a launcher says so: for drivers of the
// machine that may be meant. What names the store is a residue of the launcher's text.
func (v *verifier) checkEnvironment(s *starting, setup *wrapper.Wrapper) {
	if s.Setup != nil {
		setup = s.Setup
	}
	if setup == nil {
		return
	}
	for _, name := range []string{"LD_LIBRARY_PATH", "LD_PRELOAD", "LD_AUDIT"} {
		value, _ := wrapper.Variable(setup.Env, name, "", false)
		for _, element := range strings.FieldsFunc(v.place(value), func(r rune) bool { return r == ':' || r == ';' || r == ' ' }) {
			outside := path.IsAbs(element) && v.rel(path.Clean(element)) == path.Clean(element)
			if outside && !isStorePath(element) {
				v.add(closure.Finding{Kind: KindLeaves, Severity: closure.Warning, Program: s.Entry, Name: s.Entry,
					What: fmt.Sprintf("%s is started with %s=%s, whatever is there", s.Entry, name, clip(element))})
			}
		}
	}
}

// place is a text of a setup with the place of the bundle in it.
func (v *verifier) place(text string) string {
	return strings.ReplaceAll(text, wrapper.Root, path.Join(v.base(), v.manifest.Name))
}
