package bundle_test

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/bundle"
	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// TestAudit: code for later processors than the target has refuses the bundle; where none is named, it is
// a note.
func TestAudit(t *testing.T) {
	needsV3 := binary.LittleEndian.AppendUint64(nil, 4<<32|0xc0008002) // GNU_PROPERTY_X86_ISA_1_NEEDED
	needsV3 = binary.LittleEndian.AppendUint64(needsV3, 7)
	v3 := lib("libfoo.so.1")
	v3.Notes = []elftest.Note{{Section: ".note.gnu.property", Name: "GNU", Type: 5, Desc: needsV3, Align: 8}}
	late := map[string]elftest.File{"foo-1.0/lib/libfoo.so.1": v3, "app-1.0/bin/app": runPath(program("libfoo.so.1"), "foo-1.0")}
	for _, test := range []struct {
		name, target string
		refused      closure.Kind
	}{
		{"processor", "debian-12", closure.KindISA},
		{"processor_of_any_machine", "", ""}, // a note
	} {
		t.Run(test.name, func(t *testing.T) {
			var opts bundle.Options
			if test.target != "" {
				target, err := bundle.ParseTarget(test.target)
				require.NoError(t, err)
				opts.Target = target
			}
			root := storeTree(t, late)
			p, err := plan(t, root, opts, "app-1.0/bin/app")
			if test.refused == "" {
				require.NoError(t, err)
				require.Empty(t, p.Warnings)
				return
			}
			refused, ok := errors.AsType[*bundle.ConflictError](err)
			require.True(t, ok, err)
			require.Equal(t, test.refused, refused.Findings[0].Kind)
			opts.AllowConflicts = true
			p, err = plan(t, root, opts, "app-1.0/bin/app")
			require.NoError(t, err)
			require.Equal(t, test.refused, p.Accepted[0].Kind)
		})
	}
}
