package bundle_test

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/bundle"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// TestAudit: code for later processors than the target's least is told, and where no target is named it
// is a note of conflicts only. The reader's machine may well have what the code wants.
func TestAudit(t *testing.T) {
	needsV3 := binary.LittleEndian.AppendUint64(nil, 4<<32|0xc0008002) // GNU_PROPERTY_X86_ISA_1_NEEDED
	needsV3 = binary.LittleEndian.AppendUint64(needsV3, 7)
	v3 := lib("libfoo.so.1")
	v3.Notes = []elftest.Note{{Section: ".note.gnu.property", Name: "GNU", Type: 5, Desc: needsV3, Align: 8}}
	root := storeTree(t, map[string]elftest.File{"foo-1.0/lib/libfoo.so.1": v3, "app-1.0/bin/app": runPath(program("libfoo.so.1"), "foo-1.0")})

	p, err := plan(t, root, bundle.Options{}, "app-1.0/bin/app")
	require.NoError(t, err)
	require.Empty(t, p.Warnings)

	target, err := bundle.ParseTarget("debian-12")
	require.NoError(t, err)
	p, err = plan(t, root, bundle.Options{Target: target}, "app-1.0/bin/app")
	require.NoError(t, err)
	require.Len(t, p.Warnings, 1)
	require.Contains(t, p.Warnings[0], "x86-64-v3")
}
