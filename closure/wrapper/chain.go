package wrapper

import (
	"slices"
	"strings"
)

// StartedBy is a wrapper that is started by that path as one with a Target: of a script this is its
// interpreter, and behind it stand the argument of its first line and the path, as the kernel puts them
// there (fs/binfmt_script.c).
func (w Wrapper) StartedBy(path string) (Wrapper, error) {
	if w.Kind != Script {
		return w, nil
	}
	words, env, err := w.Interpreter()
	if err != nil {
		return w, err
	}
	w.Env, w.Target = env, words[0]
	w.Args = nil
	for _, word := range append(words[1:len(words):len(words)], path) {
		w.Args = append(w.Args, Arg{Text: word})
	}
	return w, nil
}

// Then is the one wrapper that does what two do, the second being started by the first, by that path.
// Both have a Target. Inherit means of the result what it means of the first.
//
// Arguments that a shell expands see the environment as it is in the end: where the second changes
// what those of the first depend on, that is an error.
func (w Wrapper) Then(inner Wrapper, path string) (Wrapper, error) {
	if err := w.settled(inner); err != nil {
		return w, err
	}
	both := Wrapper{
		Kind: w.Kind, Interp: w.Interp, Target: inner.Target, Argv0: inner.Argv0,
		Chdir: joinDir(w.Chdir, inner.Chdir),
		Env:   slices.Concat(w.Env, inner.Env),
		Args:  slices.Concat(inner.Args, w.Args),
		After: slices.Concat(w.After, inner.After),
		Drop:  w.Drop || inner.Drop,
	}
	if inner.Drop {
		both.Args, both.After = inner.Args, inner.After
	}
	switch {
	case !inner.Argv0.Inherit:
	case inner.Kind == Shell: // the kernel gives a shell the path, and not the name
		both.Argv0 = Argv0{Text: path}
	case w.Argv0 == Argv0{}:
		both.Argv0 = Argv0{Text: path, Resolve: inner.Argv0.Resolve}
	default:
		both.Argv0 = w.Argv0
		both.Argv0.Resolve = w.Argv0.Resolve || inner.Argv0.Resolve
	}
	return both, nil
}

// settled looks whether what a wrapper leaves to the end is the same after what the next one does.
func (w Wrapper) settled(inner Wrapper) error {
	names := map[string]bool{"PATH": w.Argv0.Resolve && inner.Argv0.Inherit}
	if !inner.Drop {
		for _, a := range slices.Concat(w.Args, w.After) {
			if a.Shell && inner.Chdir != "" && strings.ContainsAny(a.Text, globs) {
				return refuse("the wrapper of %s goes to a folder, and the one before it looks for files in its own", inner.Target)
			}
			for _, name := range a.names() {
				names[name] = true
			}
		}
	}
	for _, c := range inner.Env {
		if names[c.Name] {
			return refuse("the wrapper of %s changes %s, which the arguments of the one before it depend on", inner.Target, c.Name)
		}
	}
	return nil
}
