package trial

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"path"
	"time"

	"github.com/nixbundle/nixbundle/bundle"
)

// Verb is the first argument with which [Run] starts this program again. Whoever calls Run must have
// its main function hand such a command line to [Inside].
const Verb = "run-in-root"

// Options of a run; the zero value runs the first program of a bundle in an empty root.
type Options struct {
	Program  string        // the entry to run, as the manifest has it; "" is the first program
	Args     []string      // its arguments
	Root     string        // the folder of a target's root; "" is an empty one
	PageSize int           // of the machine, bytes, in qemu; 0 is what the program finds
	Limit    time.Duration // after which it is ended; 0 is none

	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Look finds qemu-user on this machine by its name, as exec.LookPath does; nil finds none, so that only programs
	// for this machine can be run.
	Look func(name string) (string, error)
}

// Result is how a program ended.
type Result struct {
	Program  string // the entry
	Status   int    // its exit status
	Signal   string // the signal that ended it; "" where none did
	TimedOut bool   // it was still running at the limit
}

// OK reports whether the program ended with status 0.
func (r *Result) OK() bool { return r.Status == 0 && r.Signal == "" && !r.TimedOut }

func (r *Result) String() string {
	switch {
	case r.TimedOut:
		return "was still running at the time limit"
	case r.Signal != "":
		return "was ended by a signal: " + r.Signal
	}
	return fmt.Sprintf("ended with exit status %d", r.Status)
}

// Error says why a program could not be run.
type Error struct {
	What string // what is wrong
	Do   string // what to do
	Err  error  // what it comes from; may be nil
}

func (e *Error) Error() string {
	if e.Err != nil {
		return e.What + ": " + e.Err.Error()
	}
	return e.What
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *Error) Hint() string { return e.Do }

// job is what [Inside] is told, as JSON.
type job struct {
	Bundle   string // the bundle's path
	Program  string
	Args     []string
	Root     string
	Prefix   string     // where the bundle must be; "" where it may be anywhere
	Launcher bool       // the program is started by another, such as a launcher in sh
	Emulator *emulator  // nil where the machine runs it itself
	Others   []emulator // for other programs of the root
	PageSize int
}

// emulator is a qemu-user for the machine of a program.
type emulator struct {
	Path    string
	Name    string // as binfmt_misc knows it
	Machine elf.Machine
	Class   elf.Class
	Native  bool // the machine could do without
}

// choose finds the program to run.
func choose(m *bundle.Manifest, name string) (*bundle.ManifestProgram, error) {
	for i := range m.Programs {
		if p := &m.Programs[i]; name == "" || p.Entry == name {
			return p, nil
		}
	}
	if name == "" {
		return nil, errors.New("no program is in the bundle")
	}
	e := &Error{What: name + " is no program of the bundle", Do: "name one of"}
	for _, p := range m.Programs {
		e.Do += " " + p.Entry
	}
	return nil, e
}

// launched reports whether a program is started by another: by a launcher in sh, or at its prefix by a wrapper of
// the store.
func launched(m *bundle.Manifest, p *bundle.ManifestProgram) bool {
	if m.Prefix == "" {
		return p.Strategy == bundle.StrategyWrapper || p.Setup != nil
	}
	links := map[string]string{}
	for i := range m.Entries {
		links[m.Entries[i].Path] = m.Entries[i].Link
	}
	at := p.Entry
	for range 40 { // Linux fs/namei.c: MAXSYMLINKS
		if links[at] == "" {
			break
		}
		at = path.Join(path.Dir(at), links[at])
	}
	return at != p.ELF
}

// needsRoot says why a program cannot run in an empty root; nil where it can.
func needsRoot(m *bundle.Manifest, p *bundle.ManifestProgram) error {
	const do = "name a root that has it: --target-root DIR"
	switch {
	case p.Strategy == bundle.StrategyWrapper, p.Setup != nil:
		return &Error{What: p.Entry + " is started by a launcher in sh, and an empty root has no /bin/sh", Do: do}
	case p.Strategy == bundle.StrategySystem:
		return &Error{What: p.Entry + " uses the target's own C library, and an empty root has none", Do: do}
	case p.Strategy == bundle.StrategyPath && m.Prefix == "":
		return &Error{What: p.Entry + " asks for its loader at a fixed path, which an empty root does not have",
			Do: "unpack it where it belongs, and run it there"}
	}
	return nil
}
