package closure

// Mention is a place in a file at which a path of the store stands.
type Mention struct {
	Holder  string      // the file, an absolute path inside the root
	Off     int64       // where the path begins in it, bytes
	Path    string      // as it stands, from the store directory on: "/nix/store/DIGEST-face-model-1.0/share/face.onnx"
	Kind    MentionKind // what it names
	Target  string      // the file or folder that it leads to, links resolved; "" where there is none
	Section string      // the section that it is in, where the file has section headers
	Symbol  string      // the symbol that covers it, where one does
	// Whole says that the text is a string of its own: a NUL, or a file's start, before it and a NUL behind it.
	Whole bool
}

// MentionKind is what a mention names.
type MentionKind string

const (
	MentionLibrary   MentionKind = "library"    // a library, which the holder can open at run time
	MentionProgram   MentionKind = "program"    // a program or script that can be executed
	MentionData      MentionKind = "data"       // another file that exists
	MentionFolder    MentionKind = "folder"     // a folder that exists, below a store path
	MentionStorePath MentionKind = "store-path" // a store path without more
	MentionSource    MentionKind = "source"     // a leftover of __FILE__ and the like, which nobody opens
	MentionAbsent    MentionKind = "absent"     // nothing is there: of a build-only output, or never made
)
