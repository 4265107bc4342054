package bundle

import (
	"io/fs"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch"
)

// Plan is a bundle before any byte is written: nothing is decided after it.
type Plan struct {
	Name     string            // the folder that holds everything, "sensor"
	Entries  []Entry           // sorted by Path; the manifest is not among them
	Programs []Program         // in the order asked for
	Epoch    int64             // the modification time of every entry, seconds since 1970
	Accepted []closure.Finding // conflicts that stand in the closure and were allowed
	Warnings []string          // what the plan leaves out or changes beyond edits: set-id bits dropped
}

// Entry is one file, folder or link of a bundle.
type Entry struct {
	Path string      // "sensor/lib/libz.so.1", with slashes, no trailing one
	Mode fs.FileMode // permissions, with fs.ModeDir or fs.ModeSymlink for those
	Link string      // the target of a symbolic link, relative
	Data []byte      // the content of a generated file; nil where Object is set

	Object *closure.Object // the source of a packed file; nil for folders, links, generated files
	Edit   elfpatch.Edit   // what is changed in it
}

// Program is one program of a bundle.
type Program struct {
	Entry    string   // what the user starts, "sensor/bin/sensor"
	ELF      string   // the entry that holds the ELF file; the same as Entry but for a wrapper
	Source   string   // where it came from
	Strategy Strategy // how it finds its loader
	Reason   string   // why that strategy, for the reader
}

// Strategy is how a program in a bundle finds its loader (ld.so).
type Strategy string

const (
	StrategyNone    Strategy = "none"    // a static program needs no loader
	StrategySystem  Strategy = "system"  // PT_INTERP is the ABI's path; the target's C library is used
	StrategyWrapper Strategy = "wrapper" // a launcher in sh starts the packed ld.so
	StrategyPath    Strategy = "path"    // PT_INTERP is a path that the user named
)
