package bundle_test

import (
	"debug/elf"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/bundle"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// TestLinkage: what a program is that needs no library is said, and a static one that opens libraries of
// its glibc all the same is warned of.
func TestLinkage(t *testing.T) {
	for _, row := range []struct {
		name   string
		image  elftest.Image
		why    string
		warned bool
	}{
		{"static", elftest.Image{Static: true, Type: elf.ET_EXEC, Interp: ""}, "it is static and needs no loader", false},
		{"loader_but_no_needs", elftest.Image{Interp: ldso()}, "needs no library, but is not static: it names a loader (PT_INTERP)", false},
		{"static_nss", elftest.Image{Static: true, Type: elf.ET_EXEC, Trailer: []byte("/etc/ld.so.cache\x00" + strings.Repeat("x", 1<<20) + "/etc/nsswitch.conf\x00")},
			"it is static", true},
		{"static_go_net", elftest.Image{Static: true, Type: elf.ET_EXEC, Trailer: []byte("/etc/nsswitch.conf\x00")}, "it is static", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			root := storeTree(t, map[string]elftest.File{"app-1.0/bin/app": row.image})
			known, err := bundle.ParseTarget("alpine")
			require.NoError(t, err)
			for _, target := range []*bundle.Target{nil, known} {
				p, err := plan(t, root, bundle.Options{Target: target}, "app-1.0/bin/app")
				require.NoError(t, err)
				require.Contains(t, p.Programs[0].Reason, row.why)
				require.Equal(t, target != nil, p.Target != nil)
				require.Equal(t, row.warned, strings.Contains(strings.Join(p.Warnings, "\n"), "looks up users or hosts"), p.Warnings)
			}
		})
	}
}
