package bundle

import (
	"strings"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/closure/wrapper"
	"github.com/nixbundle/nixbundle/elfpatch/stub"
)

// newSetup is what a launcher does for a program before it starts it; nil where a program that is started
// directly sees the same, but that argv[0] is what the user typed.
func newSetup(w *wrapper.Wrapper) *wrapper.Wrapper {
	if w == nil || len(w.Env) == 0 && w.Chdir == "" && len(w.Args) == 0 && len(w.After) == 0 && !w.Drop && w.Argv0.Text == "" {
		return nil
	}
	setup := *w
	setup.Interp, setup.Target, setup.Why = nil, "", nil
	return &setup
}

// launcher is a small sh script that starts a program. Its paths are relative to the bundle's folder.
type launcher struct {
	entry    string // its own
	elf      string
	strategy Strategy
	loader   string           // of StrategyWrapper: the packed ld.so, which it starts
	noArgv0  bool             // that ld.so has no --argv0, which came with glibc 2.33
	setup    *wrapper.Wrapper // nil where nothing is set up
}

func newLauncher(entry, elf string, s Strategy, loader string, by *closure.Loader, setup *wrapper.Wrapper) *launcher {
	l := &launcher{entry: entry, elf: elf, strategy: s, setup: setup}
	if s == StrategyWrapper {
		l.loader, l.noArgv0 = loader, by.Kind == closure.LoaderGlibc && olderThan(by.Version, 2, 33)
	}
	return l
}

// text is the launcher's text. It finds itself through any number of links, to files and to folders, by
// physical paths alone; it needs a POSIX shell, and readlink where it is started by a link. A slash behind
// each path keeps the newlines that a command substitution would drop. Nobody exports variables of its names,
// so that it changes nothing of the program's environment by itself.
func (l *launcher) text() []byte {
	up := strings.Repeat("../", strings.Count(l.entry, "/"))
	return []byte(`#!/bin/sh
# Made by nixbundle: ` + l.purpose() + `
nixbundle_self=$0
case $nixbundle_self in */*) ;; *) nixbundle_self=./$nixbundle_self ;; esac
while
  nixbundle_dir=$(CDPATH= cd -P -- "${nixbundle_self%/*}/" && printf '%s/' "$PWD") || exit 127
  nixbundle_self=$nixbundle_dir${nixbundle_self##*/}
  [ -h "$nixbundle_self" ]
do
  nixbundle_link=$(readlink -- "$nixbundle_self" && echo /) || exit 127
  nixbundle_link=${nixbundle_link%??}
  case $nixbundle_link in /*) nixbundle_self=$nixbundle_link ;; *) nixbundle_self=$nixbundle_dir$nixbundle_link ;; esac
done
` + wrapper.RootVariable + `=$(CDPATH= cd -P -- "$nixbundle_dir"` + up + ` && printf '%s/' "$PWD") || exit 127
` + l.prepare() + l.exec())
}

// purpose says what the launcher is for, to who reads it.
func (l *launcher) purpose() string {
	switch {
	case l.loader == "":
		return "sets up what the program expects, and starts it."
	case l.setup == nil:
		return "starts the program with the loader that this bundle brings."
	}
	return "sets up what the program expects, and starts it with the loader that this bundle brings."
}

// prepare is the lines of the setup.
func (l *launcher) prepare() string {
	if l.setup == nil {
		return ""
	}
	return l.setup.Setup()
}

// exec is the lines that become the program.
func (l *launcher) exec() string {
	argv0, args := l.argv0(), l.arguments()
	elf := wrapper.Word(wrapper.Root + "/" + l.elf)
	switch {
	case l.strategy == StrategyWrapper:
		if argv0 != "" && !l.noArgv0 {
			argv0 = " --argv0 " + argv0
		} else {
			argv0 = ""
		}
		return "exec " + wrapper.Word(wrapper.Root+"/"+l.loader) + argv0 + " " + elf + args + "\n"
	case argv0 == "":
		return "exec " + elf + args + "\n"
	case l.strategy == StrategyStub:
		return stub.Argv0Variable + "=" + argv0 + "\nexport " + stub.Argv0Variable + "\nexec " + elf + args + "\n"
	}
	// POSIX has no way to say argv[0]; most shells but dash have exec -a.
	return "if (exec -a sh /bin/sh -c :) </dev/null 2>/dev/null; then exec -a " + argv0 + " " + elf + args + "; fi\nexec " + elf + args + "\n"
}

// argv0 is the word for argv[0]; "" where it is to be the program's path.
func (l *launcher) argv0() string {
	word := `"$0"`
	switch {
	case l.setup == nil:
		return word
	case l.setup.Argv0.Text != "":
		word = wrapper.Word(l.setup.Argv0.Text)
	case !l.setup.Argv0.Inherit:
		return ""
	}
	if l.setup.Argv0.Resolve {
		return `"$(command -v -- ` + word + ` || printf '%s' ` + word + `)"`
	}
	return word
}

// arguments are the words behind the program.
func (l *launcher) arguments() string {
	if l.setup == nil {
		return ` "$@"`
	}
	return " " + l.setup.Arguments()
}
