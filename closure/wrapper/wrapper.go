package wrapper

// Kind is what a wrapper is.
type Kind string

const (
	Shell  Kind = "shell"  // a shell script that only sets up and execs, as makeWrapper writes it
	Binary Kind = "binary" // a makeBinaryWrapper program
	Script Kind = "script" // any other script: its interpreter reads it
)

// Wrapper is what a program does before it starts another one.
type Wrapper struct {
	Kind   Kind
	Interp []string // the words behind #!, the path first; nil for a binary wrapper
	Target string   // the program that it starts, an absolute path as it stands; "" for a Script
	Argv0  Argv0    // what the started program sees as argv[0]
	Chdir  string   // where it goes first; "" where it stays
	Env    []Change // what it changes in the environment, in order
	Args   []Arg    // put before the user's arguments
	After  []Arg    // put behind them
}

// Argv0 is the argv[0] of the program that a wrapper starts.
type Argv0 struct {
	Inherit bool   `json:"inherit,omitempty"` // the wrapper's own
	Text    string `json:"text,omitempty"`    // this; "" without Inherit is the path of the program
}

// Op is what is done to a variable.
type Op string

const (
	Set        Op = "set"
	SetDefault Op = "setDefault" // unless it is set, to whatever
	Unset      Op = "unset"
	Prefix     Op = "prefix" // put in front of what is there, with Sep between
	Suffix     Op = "suffix" // put behind it
)

// Change is one change of the environment.
type Change struct {
	Op    Op     `json:"op"`
	Name  string `json:"name"`
	Value string `json:"value,omitempty"`
	Sep   string `json:"sep,omitempty"` // of Prefix and Suffix
	// Once takes an element that is there already away first, as the shell text of makeWrapper does since
	// 2022; makeBinaryWrapper and older texts just add.
	Once bool `json:"once,omitempty"`
}

// Arg is one argument, or a text that a POSIX shell makes into any number of them.
type Arg struct {
	Text  string `json:"text"`
	Shell bool   `json:"shell,omitempty"` // Text is for the shell to expand and split
}
