package closure

import "github.com/nixbundle/nixbundle/closure/wrapper"

// Flatten is the one wrapper that does what a chain of them does, the outermost first: what each does to
// the environment in that order, and around the user's arguments those of the inner before those of the
// outer. A script is started as the kernel does it (fs/binfmt_script.c): behind its interpreter stand the
// one argument of its first line and the path that the script was started by. Target is the path by which
// the last step starts the program; Inherit means what it means in the first step. Of no steps it is the
// zero value.
//
// Arguments that a shell expands see the environment as it is in the end. Where a later step changes
// what they depend on, that is an error.
func Flatten(steps []LaunchStep) (wrapper.Wrapper, error) {
	var w wrapper.Wrapper
	for i, step := range steps {
		next, err := step.StartedBy(step.Asked)
		if err != nil {
			return w, err
		}
		if i > 0 {
			next, err = w.Then(next, step.Asked)
		}
		if err != nil {
			return w, err
		}
		w = next
	}
	return w, nil
}
