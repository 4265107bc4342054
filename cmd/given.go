package cmd

import "github.com/spf13/cobra"

// addGiven gives a verb the flags of what a program is started with. Nothing of it is taken from
// this process's environment.
func (a *app) addGiven(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&a.given.LibraryPath, "library-path", "", "as if LD_LIBRARY_PATH were this")
	f.StringArrayVar(&a.given.Preload, "preload", nil, "as if LD_PRELOAD named this; can be repeated")
	f.BoolVar(&a.given.PreloadFile, "preload-file", false, "preload what the root's /etc/ld.so.preload names, or for nixpkgs' loader /etc/ld-nix.so.preload")
	f.StringSliceVar(&a.given.HWCaps, "hwcaps", nil, "what the processor has, such as x86-64-v3: directories below glibc-hwcaps/ to take (default none)")
}
