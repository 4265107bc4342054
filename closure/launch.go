package closure

import (
	"bytes"
	"errors"
	"io/fs"
	"path"
	"strings"

	"github.com/nixbundle/nixbundle/closure/wrapper"
)

// Launch is how a program starts: through any number of wrappers to an ELF file.
type Launch struct {
	Asked   string       // as asked for, an absolute path inside the root
	Steps   []LaunchStep // the outermost first; empty where Asked is the ELF file
	Program string       // the ELF file that is started in the end, links resolved: of a script, its interpreter
}

// LaunchStep is one wrapper or script of a launch.
type LaunchStep struct {
	*wrapper.Wrapper
	Asked string // the path that it is started by: Launch.Asked, or as the step before names it
	Path  string // the file, links resolved
}

// LaunchError says why a wrapper leads to no ELF file.
type LaunchError struct {
	Chain []string // the paths from the one that was asked for to the one that is wrong
	Why   string   // what is wrong with the last of Chain
	What  string   // what to do; "" when there is nothing to say
	Err   error    // what it comes from, such as fs.ErrNotExist or a *wrapper.UnsupportedError; may be nil
}

func (e *LaunchError) Error() string {
	last := e.Chain[len(e.Chain)-1] + ": " + e.Why
	if len(e.Chain) == 1 {
		return last
	}
	return last + " (" + strings.Join(e.Chain, " -> ") + ")"
}

// Unwrap gives the cause.
func (e *LaunchError) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *LaunchError) Hint() string { return e.What }

const (
	maxLaunch  = 32      // nixpkgs wraps three or four times
	maxWrapper = 1 << 20 // a makeBinaryWrapper program is a few dozen KB
)

// ReadLaunch follows wrappers from an absolute path inside the root to the ELF file that runs in the
// end. Links are resolved inside the root; nothing is executed. What is wrong with the path that was
// asked for is a [*ProgramError]; with what it leads to, or with a wrapper, a [*LaunchError].
func ReadLaunch(root fs.FS, path string, opts Options) (*Launch, error) {
	return newWalker(root, opts).launch(path)
}

func (w *walker) launch(path string) (*Launch, error) {
	r := &launchReader{walker: w, launch: &Launch{Asked: path}, seen: map[*node]bool{}}
	for next := path; next != ""; {
		r.chain = append(r.chain, next)
		step, err := r.step(next)
		if err != nil {
			return nil, err
		}
		next = step
	}
	return r.launch, nil
}

// chain is the paths of a launch, the program last.
func (l *Launch) chain() []string {
	var chain []string
	for _, step := range l.Steps {
		chain = append(chain, step.Asked)
	}
	return append(chain, l.Program)
}

type launchReader struct {
	*walker
	launch *Launch
	chain  []string
	seen   map[*node]bool
}

// step looks at the file at a path, and gives the path that it starts; "" for the ELF file.
func (r *launchReader) step(at string) (next string, err error) {
	n, err := r.programNode(at)
	if err != nil {
		return "", r.unreached(err)
	}
	switch {
	case r.seen[n] && len(r.chain) == 2:
		return "", r.wrong("starts itself", "the wrapper was made with its own path as the program", nil)
	case r.seen[n]:
		return "", r.wrong("starts itself, through others", "one of the wrappers was made with the wrong program", nil)
	case len(r.chain) > maxLaunch:
		return "", r.wrong("too many wrappers one behind the other", "name the program that they start", nil)
	}
	r.seen[n] = true
	data, err := r.read(n)
	if err != nil {
		return "", err
	}
	var w *wrapper.Wrapper
	switch {
	case bytes.HasPrefix(data, []byte("#!")):
		w, err = wrapper.Parse(data)
	case bytes.HasPrefix(data, []byte("\x7fELF")):
		w, _, err = wrapper.ParseBinary(data)
	case len(r.chain) > 1 && len(data) == 0:
		return "", r.wrong("is empty", "", nil)
	case len(r.chain) > 1:
		return "", r.wrong("is neither an ELF file nor a script", "name a program, or a wrapper of one", nil)
	}
	if err != nil {
		return "", r.misread(err)
	}
	if w == nil {
		r.launch.Program = n.abs()
		return "", nil
	}
	r.launch.Steps = append(r.launch.Steps, LaunchStep{Wrapper: w, Asked: at, Path: n.abs()})
	return r.next(w)
}

// read reads a file as far as a wrapper goes. What a wrapper starts must have a bit that lets it.
func (r *launchReader) read(n *node) ([]byte, error) {
	f, st, err := r.openFile(n)
	if err != nil {
		return nil, r.unreached(r.unreachable(r.chain[len(r.chain)-1], err))
	}
	defer f.Close()
	if len(r.chain) > 1 && st.Mode().Perm()&0o111 == 0 {
		return nil, r.wrong("is not executable", "make it executable, or have the wrapper start another program", fs.ErrPermission)
	}
	most := int64(wrapper.MaxText + 1)
	if st.Size() > maxWrapper {
		if head, err := readSome(f, 4); err != nil || string(head) == "\x7fELF" {
			return head, err
		}
	}
	data, err := readSome(f, min(st.Size(), most))
	if err != nil {
		return nil, r.unreached(r.unreachable(r.chain[len(r.chain)-1], err))
	}
	return data, nil
}

// next is the path that a wrapper starts, or the interpreter of a script.
func (r *launchReader) next(w *wrapper.Wrapper) (string, error) {
	if w.Target != "" {
		return w.Target, nil
	}
	words, env, err := w.Interpreter()
	switch {
	case err != nil:
		return "", r.wrong("its interpreter is known only when it runs: "+err.Error(), "name an interpreter by its path behind #!", err)
	case path.IsAbs(words[0]):
		w.Env = env
		return words[0], nil
	case len(words) > 0 && words[0] != w.Interp[0]:
		return "", r.wrong("its interpreter is the "+words[0]+" that env finds on PATH, which is known only when it runs",
			"let patchShebangs of nixpkgs put a path of the store there", nil)
	}
	return "", r.wrong("its interpreter "+words[0]+" is no absolute path", "name an interpreter by its path behind #!", nil)
}

func (r *launchReader) wrong(why, what string, err error) error {
	return &LaunchError{Chain: r.chain, Why: why, What: what, Err: err}
}

// unreached says that the last path of the chain leads nowhere.
func (r *launchReader) unreached(err error) error {
	var e *ProgramError
	if len(r.chain) == 1 || !errors.As(err, &e) {
		return err
	}
	return r.wrong(e.Why, e.What, e.Err)
}

// misread says what in a wrapper is not understood.
func (r *launchReader) misread(err error) error {
	what := ""
	var u *wrapper.UnsupportedError
	if errors.As(err, &u) {
		what = u.Hint()
	}
	return r.wrong(err.Error(), what, err)
}
