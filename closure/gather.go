package closure

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/nixbundle/nixbundle/closure/wrapper"
)

// Follow says what [Gather] takes along beside what loaders map when programs start, and what it knows to be
// opened; the zero value is right for most.
type Follow struct {
	Data      bool     // files, folders and programs that the text of any packed file names
	Suggested bool     // libraries that a .note.dlopen only suggests
	Include   []string // paths inside the root and patterns, as ReadItems takes them
}

// Gather walks programs as [Walk] does, and takes along what they are known to use beyond it: libraries that
// notes and texts of objects name and that are there, plugins of known libraries, what wrappers set in the
// environment, and the programs in the folders that those name. It goes on until nothing new is found. The
// closure then has Helpers among its link maps, Libraries, Items and Mentions.
//
// What is guessed may be wrong, and no error comes of it: a program of another machine in a folder of PATH is
// a finding, and stays a file.
func Gather(root fs.FS, programs []string, opts Options, follow Follow) (*Closure, error) {
	g := &gatherer{root: root, opts: opts, follow: follow, programs: programs, items: map[string]*Item{}}
	for _, pattern := range follow.Include {
		items, err := ReadItems(root, pattern, opts)
		if err != nil {
			return nil, err
		}
		for _, item := range items {
			g.addItem(item)
		}
	}
	const rounds = 64 // what is opened opens more, rarely three deep
	for range rounds {
		c, err := Walk(root, programs, g.opts)
		if err != nil {
			return nil, err
		}
		grown, err := g.grow(c)
		if err != nil {
			return nil, err
		}
		if !grown {
			return g.finish(c), nil
		}
	}
	return nil, &ProgramError{Path: programs[0], Why: "what it opens opens more, without end", What: "name fewer programs, or leave out --follow-data"}
}
