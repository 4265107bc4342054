package closure

import "github.com/nixbundle/nixbundle/elfpatch"

// Mention is a place in a file at which a path of the store stands.
//
// Text is all that may belong to the path: it ends at a NUL or another control character, such as the end of
// a line, where another store path begins, and at PATH_MAX. How much of it is the path is decided by what is
// there: the longest beginning that leads to a file or folder of the root and ends where a path can end, which
// is at the end of Text and at a space, a quote or another mark that stands behind paths (a colon in a list).
// In an ELF file's text that is no string of its own it may end anywhere, since the strings of Go and Rust
// stand side by side without a NUL. Of what is not there it is what stands before the first such mark.
type Mention struct {
	Holder string      // the file, an absolute path inside the root
	Off    int64       // where the path begins in it, bytes
	Text   string      // all that may belong to it, from the store directory on
	Path   string      // the path: "/nix/store/DIGEST-face-model-1.0/share/face.onnx", the beginning of Text
	Kind   MentionKind // what it names
	Target string      // the file or folder that it leads to, links resolved; "" where there is none
	Object *Object     // the ELF file at Target; nil where that is none
	// Whole says that Text is a string of its own: a NUL, or the file's beginning, before it and a NUL behind it.
	Whole bool

	Section string       // the section that it is in, where the holder has section headers
	Symbol  string       // the symbol that covers it, where one does
	Use     elfpatch.Use // what the loader reads it for, or that it is dead text; "" where it is the program's own
}

// MentionKind is what a mention names.
type MentionKind string

// What a mention can name.
const (
	MentionLibrary   MentionKind = "library"    // a library, which the holder can open at run time
	MentionProgram   MentionKind = "program"    // a program or script that can be executed
	MentionData      MentionKind = "data"       // another file that exists, a library for another machine among them
	MentionFolder    MentionKind = "folder"     // a folder that exists, below a store path
	MentionStorePath MentionKind = "store-path" // a store path that is a folder, without more
	// MentionSource is a leftover of __FILE__, of debugging information and the like, which nobody opens.
	MentionSource MentionKind = "source"
	// MentionBlanked is a path whose digest was made unusable on purpose: in capitals, or all e. It leads
	// nowhere on any machine.
	MentionBlanked MentionKind = "blanked"
	MentionAbsent  MentionKind = "absent" // nothing is there: of a build-only output, or never made
)
