package closure

import "github.com/nixbundle/nixbundle/closure/wrapper"

// Launch is how a program starts: through any number of wrappers to an ELF file.
type Launch struct {
	Asked   string       // as asked for, an absolute path inside the root
	Steps   []LaunchStep // the outermost first; empty where Asked is the ELF file
	Program string       // the ELF file that is started in the end: of a script, its interpreter
}

// LaunchStep is one wrapper or script of a launch.
type LaunchStep struct {
	*wrapper.Wrapper
	Path string // the file, links resolved
}
