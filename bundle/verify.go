package bundle

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch"
)

// The kinds of findings that a bundle has beside those of a closure.
const (
	KindArchive   closure.Kind = "archive"        // the archive cannot be read to its end, or goes on behind it
	KindManifest  closure.Kind = "manifest"       // the manifest says what does not hold
	KindEntry     closure.Kind = "entry"          // an entry that no bundle has: its name, its type, its attributes
	KindTwice     closure.Kind = "entry-twice"    // one path is there twice
	KindExtra     closure.Kind = "entry-extra"    // an entry that the manifest does not have
	KindAbsent    closure.Kind = "entry-absent"   // an entry of the manifest that is not there
	KindChanged   closure.Kind = "entry-changed"  // an entry is not as the manifest has it
	KindLink      closure.Kind = "link"           // a link leads out of the bundle, or nowhere
	KindObject    closure.Kind = "object"         // an ELF file that the loader cannot read, or not find by its name
	KindStart     closure.Kind = "start"          // a program does not start as its strategy promises
	KindStorePath closure.Kind = "store-path"     // what the loader reads names the Nix store
	KindLeaves    closure.Kind = "outside-bundle" // what the loader reads leads out of the bundle
	KindTarget    closure.Kind = "target"         // the target does not have what a program asks of it
	KindRun       closure.Kind = "run"            // a program that was run did not end well
)

// VerifyOptions say what a bundle is verified for; the zero value is right.
type VerifyOptions struct {
	// TempDir is where the unpacked bytes of the bundle are kept while it is read, in one file
	// without a name; "" means /tmp.
	TempDir string
	// Target is the machine that the bundle is to run on; nil is any. A program that uses the target's own
	// C library must find all that it asks of it there.
	Target *Target
	// Root is the file system that Target was read from: programs are then walked in it. Nil where there
	// is none.
	Root fs.FS
	// PageSizes are those of the machine, bytes; none means the target's, where one is named.
	PageSizes []uint64

	// Progress is told how many of total bytes of files have been read, which is most of the work: at
	// least every 256 KiB, on the goroutine that called Verify. total is what the manifest says, and done
	// never passes it. Nil means nobody asks.
	Progress func(done, total int64)
}

// Verification is what [Verify] has found and looked at.
type Verification struct {
	Manifest *Manifest         // nil where none can be read
	Findings []closure.Finding // sorted; empty when all is well
	Accepted []closure.Finding // those that the manifest records, allowed or kept, and that are no error now

	// Fits are the known targets whose C library has all that is asked of it, the oldest first, where programs
	// use the target's own and no target is named.
	Fits []string
	ELFs map[string]*elfpatch.Info // of each program that starts as promised, by its entry

	Entries    int   // files, folders and links, the manifest among them
	Bytes      int64 // of files
	Programs   int   // those that the manifest names
	Objects    int   // ELF files that programs load
	Needs      int   // answered names, for each program
	References int   // symbol references that are bound, for each program
	Naming     int   // files in which paths of the store still stand, as the manifest says
	Looking    int   // those of them that may look for what is named there
}

// Broken reports whether a finding is an error.
func (v *Verification) Broken() bool {
	for _, f := range v.Findings {
		if f.Severity == closure.Error {
			return true
		}
	}
	return false
}

// Verify reads a bundle (as [Open] takes one) and proves that it will run, without running
// anything: every entry is there once and is what the manifest says, to the last byte, and nothing
// else; every link stays inside; what the loader reads leads nowhere else; every program starts as its
// strategy promises; every need, version and symbol reference has its answer.
//
// The bundle is taken to be hostile: no name of it touches a file system. What is wrong with it is a
// finding. An error is a file that cannot be read or that is no bundle ([ErrNotBundle]), or
// that of ctx.
func Verify(ctx context.Context, name string, opts VerifyOptions) (*Verification, error) {
	v := &verifier{ctx: ctx, opts: opts, result: &Verification{ELFs: map[string]*elfpatch.Info{}}, loaded: map[*verified]bool{}, opened: map[*verified]bool{}}
	archive, err := Open(name)
	if err != nil {
		return v.unopened(name, err)
	}
	defer archive.Close()
	v.archive, v.manifest, v.result.Manifest = archive, archive.Manifest, archive.Manifest
	if v.spool, err = newSpool(opts.TempDir); err != nil {
		return nil, archive.about(err)
	}
	defer v.spool.Close()
	for _, pass := range []func() error{
		v.readEntries, // beyond this point every byte is the manifest's
		v.checkLinks,
		v.readObjects,
		v.checkPrograms,
		v.checkObjects,
		v.checkPaths,
		v.checkResidue,
	} {
		if err := pass(); err != nil {
			return nil, archive.about(err)
		}
		if v.unread {
			break // what follows would only repeat it
		}
	}
	v.recall()
	closure.SortFindings(v.result.Findings)
	return v.result, nil
}

// verifier is one run of Verify.
type verifier struct {
	ctx      context.Context
	opts     VerifyOptions
	archive  *Archive
	manifest *Manifest
	result   *Verification

	spool    *spool
	entries  map[string]*verified   // the manifest's, by path
	order    []*verified            // the same, sorted by path
	programs map[*verified]Strategy // the ELF files of programs
	loaded   map[*verified]bool     // what programs load at start
	opened   map[*verified]bool     // libraries that they may open later, and what those load
	demands  []Demand               // of a C library that a target has
	planned  *Port                  // the known target that the manifest says the bundle is for
	unread   bool                   // the archive could not be read to its end
	total    int64                  // bytes of files that there are to read, as the manifest says
}

// maxFindings is how many findings are told: of more, nobody reads the rest.
const maxFindings = 1000

// add records a finding.
func (v *verifier) add(f closure.Finding) {
	if len(v.result.Findings) < maxFindings {
		v.result.Findings = append(v.result.Findings, f)
	}
}

// broken records an error about an entry of the bundle or a part of it.
func (v *verifier) broken(kind closure.Kind, name, format string, args ...any) {
	v.add(closure.Finding{Kind: kind, Severity: closure.Error, Name: name, What: fmt.Sprintf(format, args...), Advice: advice[kind]})
}

// advice is what to do about the findings of a kind.
var advice = map[closure.Kind]string{
	KindArchive:   "copy the bundle again, or make it again",
	KindManifest:  "make the bundle again: it was changed after it was made",
	KindEntry:     "do not unpack it: nixbundle makes no such entry",
	KindTwice:     "do not unpack it: nixbundle makes no such archive",
	KindExtra:     "make the bundle again: it was changed after it was made",
	KindAbsent:    "copy the bundle again, or make it again",
	KindChanged:   "copy the bundle again, or make it again",
	KindLink:      "make the bundle again: it was changed after it was made",
	KindObject:    "make the bundle again",
	KindStart:     "make the bundle again",
	KindStorePath: "make the bundle again: a machine without Nix has no such path",
	KindLeaves:    "make the bundle again: it would load what the machine happens to have there",
}

// unopened tells a bundle that is damaged from what is none.
func (v *verifier) unopened(name string, err error) (*Verification, error) {
	var system syscall.Errno
	if errors.Is(err, ErrNotBundle) || errors.As(err, &system) {
		return nil, err
	}
	kind := KindArchive
	var manifest *ManifestError
	if errors.As(err, &manifest) {
		kind = KindManifest
	}
	v.broken(kind, name, "%v", errors.Unwrap(err)) // Open's without the name
	return v.result, nil
}
