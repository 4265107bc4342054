package closure

import "cmp"

// Options of a walk; the zero value is right for a program of this machine that is started without
// LD_LIBRARY_PATH and LD_PRELOAD. Nothing is ever taken from the environment.
type Options struct {
	// StoreDir is the directory of the Nix store inside the root; "" means /nix/store.
	StoreDir string
	// Loader replaces what would be learnt from the program's own ld.so.
	Loader *Loader
	// HWCaps is what the processor has, by the names of the directories that the loader looks into
	// for it: "x86-64-v3", which has x86-64-v2 with it, or up to glibc 2.36 "haswell" and the like.
	// Without it the plain libraries are taken, and [Need.Varies] lists what a processor might change.
	HWCaps []string
	// LibraryPath is LD_LIBRARY_PATH.
	LibraryPath string
	// Preload are the names in LD_PRELOAD.
	Preload []string
	// PreloadFile preloads what the loader's own file names too: /etc/ld.so.preload, or nixpkgs'
	// /etc/ld-nix.so.preload.
	PreloadFile bool
	// Opened are the libraries that processes open at run time, in order.
	Opened []Opened
	// Helpers are programs that others start: absolute paths inside the root. One that cannot be walked or lacks a
	// library is left out, and [Judge] says so.
	Helpers []string
	// Libraries are absolute paths inside the root of libraries that are walked by themselves, with the loader
	// of the first program that is for the same machine.
	Libraries []string
}

// Opened is one dlopen.
type Opened struct {
	Program string // the program in whose process it happens, as asked for; "" means every one that has By
	By      string // who calls: an object's path, needed name or soname; "" is the program
	Name    string // what is opened: a name to be searched, or a path
	Maybe   bool   // it is a guess that it happens: what would go wrong is then no error
}

// storeDir is the store directory that the options mean.
func (o *Options) storeDir() string {
	return cmp.Or(o.StoreDir, usualStoreDir)
}
