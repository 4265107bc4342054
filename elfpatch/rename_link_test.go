package elfpatch_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nixbundle/nixbundle/elfpatch"
	"github.com/stretchr/testify/require"
)

// The loader finds the symbols of what each linker made by their new names, whichever hash table it
// uses, and what has one of the old names is not found any more.
func TestRenameLinked(t *testing.T) {
	for _, c := range toolchains(t) {
		for _, style := range []string{"gnu", "sysv", "both"} {
			if style == "both" && os.Getenv("NIXBUNDLE_FULL") == "" {
				continue
			}
			t.Run(c.name+" "+style, func(t *testing.T) {
				c.need(t)
				c.dir = t.TempDir()
				flag := "-Wl,--hash-style=" + style
				lib := c.build(t, "libhalf.so", libSource, "-shared", "-fPIC", "-Wl,-soname,libhalf.so", flag)
				prog := c.build(t, "prog", mainSource, "-Wl,-rpath,$ORIGIN", lib, flag)
				c.check(t, prog)
				in := readFile(t, lib)
				names := map[string]string{"nobody": "somebody"}
				for _, s := range symbolsOf(t, in) {
					if s.Defined() && s.Exported() {
						names[s.Name] = "renamed_" + s.Name
					}
				}
				require.Contains(t, names, "half")
				e := elfpatch.Edit{RenameSymbols: names}
				out := apply(t, in, e)
				checkRenamed(t, in, out, names)
				c.write(t, "libhalf.so", out)
				require.NoError(t, os.Mkdir(filepath.Join(c.dir, "sub"), 0o755))
				c.write(t, "sub/libhalf.so", out)
				require.Error(t, c.command("./prog").Run(), "the library has the old name")
				program := readFile(t, prog)
				c.write(t, "prog", apply(t, program, e))
				c.check(t, "./prog")
				c.stripped(t, "strip", "prog", "-o", "stripped")
				names["half"] = "half_" + strings.Repeat("x", 3000)
				c.write(t, "libhalf.so", apply(t, in, e))
				c.write(t, "prog", apply(t, program, e))
				c.check(t, "./prog")
			})
		}
	}
}
