package wrapper

// Kind is what a wrapper is.
type Kind string

// The kinds of wrappers.
const (
	Shell  Kind = "shell"  // a shell script that only sets up and execs, as makeWrapper writes it
	Binary Kind = "binary" // a makeBinaryWrapper program
	Script Kind = "script" // any other script: its interpreter reads it
)

// Wrapper is what a program does before it starts another one. The changes of the environment come
// first, then its own arguments are expanded, then the program is started.
type Wrapper struct {
	Kind   Kind     `json:"kind,omitempty"`  // "" where none was read: changes that somebody asked for
	Interp []string `json:"-"`               // the words behind #! as the kernel takes them: the path, and at most one argument; nil for a binary wrapper
	Target string   `json:"-"`               // the program that it starts, an absolute path as it stands; "" for a Script
	Argv0  Argv0    `json:"argv0"`           // what the started program sees as argv[0]
	Chdir  string   `json:"chdir,omitempty"` // where it goes first; "" where it stays
	Env    []Change `json:"env,omitempty"`   // what it changes in the environment, in order
	Args   []Arg    `json:"args,omitempty"`  // put before the user's arguments
	After  []Arg    `json:"after,omitempty"` // put behind them
	Drop   bool     `json:"drop,omitempty"`  // the user's arguments are not passed on

	// Why is, of a Script for a shell, the first thing in it that makes it more than a wrapper.
	Why *UnsupportedError `json:"-"`
}

// Argv0 is the argv[0] of the program that a wrapper starts.
type Argv0 struct {
	// Inherit takes the wrapper's own: of a binary wrapper what it was given, of a shell text $0, which is
	// the path that the kernel was given to start it by (fs/binfmt_script.c).
	Inherit bool   `json:"inherit,omitempty"`
	Text    string `json:"text,omitempty"` // this; "" without Inherit is Target
	// Resolve looks a name without a slash up in the directories of PATH, as it then is, the empty ones left
	// out; where it is in none it stays.
	Resolve bool `json:"resolve,omitempty"`
}

// Op is what is done to a variable.
type Op string

// What can be done to a variable.
const (
	Set        Op = "set"        // to Value, whatever is there
	SetDefault Op = "setDefault" // unless it is set, to whatever
	Fill       Op = "fill"       // unless it is set and not empty
	Unset      Op = "unset"      // take it out of the environment
	Prefix     Op = "prefix"     // put in front of what is there, with Sep between
	Suffix     Op = "suffix"     // put behind it
)

// Join is when Sep stands between what is there and what is added.
type Join string

// When Sep stands between; the zero value is what most wrappers do.
const (
	JoinText   Join = ""       // where something is there: the variable is set and not empty
	JoinSet    Join = "set"    // where the variable is set, be it empty: makeBinaryWrapper
	JoinAlways Join = "always" // always, so that nothing there leaves Sep at the end: PATH=/x:$PATH
)

// Change is one change of the environment. In Value and Sep %ROOT% stands for the bundle's folder.
type Change struct {
	Op    Op     `json:"op"`
	Name  string `json:"name"`
	Value string `json:"value,omitempty"`
	Sep   string `json:"sep,omitempty"`  // of Prefix and Suffix
	Join  Join   `json:"join,omitempty"` // of Prefix and Suffix
	// Once looks for Value between two Sep in what is there: Prefix takes the first one away before it
	// adds, Suffix does not add. The shell text of makeWrapper does so since 2022; it also takes one Sep off
	// either end. With JoinSet it is what makeBinaryWrapper does since 2025: only the first place where the
	// text of Value is found counts, and only if it stands between two Sep or at an end; Prefix then leaves one
	// at the start and Suffix one at the end where it is, and any other moves.
	Once bool `json:"once,omitempty"`
	// IfSet leaves a variable alone that is not set: an assignment that is not exported.
	IfSet bool `json:"ifSet,omitempty"`
}

// Arg is one argument, or a text that a POSIX shell makes into any number of them. In Text %ROOT%
// stands for the bundle's folder.
type Arg struct {
	Text  string `json:"text"`
	Shell bool   `json:"shell,omitempty"` // Text is for the shell to expand and split
}
