package bundle

import (
	"strings"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/closure/wrapper"
	"github.com/nixbundle/nixbundle/elfpatch/stub"
)

// Setup is what a launcher does before it starts its program: what the wrappers did in the store, with
// places in the bundle for the store's. In values and arguments [wrapper.Root] stands for the bundle's folder.
type Setup struct {
	Env   []wrapper.Change `json:"env,omitempty"`
	Chdir string           `json:"chdir,omitempty"`
	Argv0 wrapper.Argv0    `json:"argv0"`
	Args  []wrapper.Arg    `json:"args,omitempty"`  // before the user's
	After []wrapper.Arg    `json:"after,omitempty"` // behind them
}

// newSetup is the setup of a chain of wrappers; nil where a program that is started directly sees the same,
// but that argv[0] is what the user typed.
func newSetup(w *wrapper.Wrapper) *Setup {
	if len(w.Env) == 0 && w.Chdir == "" && len(w.Args) == 0 && len(w.After) == 0 && w.Argv0.Text == "" {
		return nil
	}
	return &Setup{Env: w.Env, Chdir: w.Chdir, Argv0: w.Argv0, Args: w.Args, After: w.After}
}

// launcher is a small sh script that starts a program. Its paths are relative to the bundle's folder.
type launcher struct {
	entry    string // its own
	elf      string
	strategy Strategy
	loader   string // of StrategyWrapper: the packed ld.so, which it starts
	noArgv0  bool   // that ld.so has no --argv0, which came with glibc 2.33
	setup    *Setup // nil where nothing is set up
}

func newLauncher(entry, elf string, s Strategy, loader string, by *closure.Loader, setup *Setup) *launcher {
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
nixbundle_root=$(CDPATH= cd -P -- "$nixbundle_dir"` + up + ` && printf '%s/' "$PWD") || exit 127
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
	var b strings.Builder
	for _, c := range l.setup.Env {
		b.WriteString(c.Shell())
	}
	if l.setup.Chdir != "" {
		b.WriteString("cd -- " + wrapper.Word(l.setup.Chdir) + " || exit 127\n")
	}
	return b.String()
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
	return "if (exec -a sh true) 2>/dev/null; then exec -a " + argv0 + " " + elf + args + "; fi\nexec " + elf + args + "\n"
}

// argv0 is the word for argv[0]; "" where it is to be the program's path.
func (l *launcher) argv0() string {
	switch {
	case l.setup == nil || l.setup.Argv0.Inherit:
		return `"$0"`
	case l.setup.Argv0.Text != "":
		return wrapper.Word(l.setup.Argv0.Text)
	}
	return ""
}

// arguments are the words behind the program.
func (l *launcher) arguments() string {
	var b strings.Builder
	var s Setup
	if l.setup != nil {
		s = *l.setup
	}
	for _, a := range s.Args {
		b.WriteString(" " + a.Shell())
	}
	b.WriteString(` "$@"`)
	for _, a := range s.After {
		b.WriteString(" " + a.Shell())
	}
	return b.String()
}
