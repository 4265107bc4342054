package wrapper_test

import (
	"errors"
	"fmt"
	"log"

	"github.com/nixbundle/nixbundle/closure/wrapper"
)

// What makeWrapper writes is read and not run.
func ExampleParse() {
	w, err := wrapper.Parse([]byte(`#! /nix/store/x-bash-5.2/bin/bash -e
PATH=${PATH:+':'$PATH':'}
PATH=${PATH/':''/nix/store/x-git-2.42/bin'':'/':'}
PATH='/nix/store/x-git-2.42/bin'$PATH
PATH=${PATH#':'}
PATH=${PATH%':'}
export PATH
export LANG='C.UTF-8'
exec "/nix/store/x-tool-1.0/bin/.tool-wrapped"  --color "$@"
`))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(w.Kind, w.Target)
	for _, c := range w.Env {
		fmt.Println(c.Op, c.Name, c.Value)
	}
	fmt.Println(w.Args)
	// Output:
	// shell /nix/store/x-tool-1.0/bin/.tool-wrapped
	// prefix PATH /nix/store/x-git-2.42/bin
	// set LANG C.UTF-8
	// [{--color false}]
}

// A text that does more than set up and start is an error with the line.
func ExampleUnsupportedError() {
	_, err := wrapper.Parse([]byte("#!/bin/sh\nmkdir -p \"$HOME/.tool\"\nexec /nix/store/x-tool-1.0/bin/tool \"$@\"\n"))
	var unsupported *wrapper.UnsupportedError
	if errors.As(err, &unsupported) {
		fmt.Println(unsupported.Line, unsupported.Text)
	}
	// Output: 2 mkdir -p "$HOME/.tool"
}

// What a user has set before decides what the changes make.
func ExampleVariable() {
	changes := []wrapper.Change{
		{Op: wrapper.SetDefault, Name: "LANG", Value: "C.UTF-8"},
		{Op: wrapper.Prefix, Name: "PATH", Value: "/opt/bin", Sep: ":"},
	}
	fmt.Println(wrapper.Variable(changes, "LANG", "de_DE", true))
	fmt.Println(wrapper.Variable(changes, "PATH", "/bin", true))
	fmt.Println(wrapper.Variable(changes, "PATH", "", false))
	// Output:
	// de_DE true
	// /opt/bin:/bin true
	// /opt/bin true
}

// Setup is the same for a POSIX shell, relative to the folder of a bundle.
func ExampleWrapper_Setup() {
	w := wrapper.Wrapper{Env: []wrapper.Change{{Op: wrapper.Set, Name: "FACES", Value: wrapper.Root + "/share/it's here"}}}
	fmt.Print(w.Setup())
	// Output:
	// FACES="$nixbundle_root"'share/it'\''s here'
	// export FACES
}
