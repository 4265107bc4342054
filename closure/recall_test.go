package closure_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/closure"
)

// TestMentionRecall: in every file of the real store, all that grep finds and that is followed by a digest
// and a name is a mention, at its offset, and nothing else is one.
func TestMentionRecall(t *testing.T) {
	storeDir(t)
	root, err := closure.OpenRoot("/")
	require.NoError(t, err)
	r := closure.NewMentionReader(root, closure.Options{}, nil)
	files, total := 0, 0
	for _, path := range storePaths(t) {
		item, err := closure.ReadItem(root, path, closure.Options{})
		require.NoError(t, err)
		for _, e := range item.Entries {
			if !e.Mode.IsRegular() {
				continue
			}
			o, err := r.Holder(filepath.Join(item.Path, e.Name))
			require.NoError(t, err)
			got, err := r.Read(o)
			require.NoError(t, err)
			var offs []int64
			for _, m := range got {
				offs = append(offs, m.Off)
			}
			require.Equal(t, grepPaths(t, o.Path), offs, o.Path)
			files, total = files+1, total+len(offs)
		}
	}
	assert.Greater(t, files, 100)
	assert.Greater(t, total, 1000)
}

// storePaths are the paths of this machine's store.
func storePaths(t *testing.T) []string {
	entries, err := os.ReadDir("/nix/store")
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("no store")
	}
	require.NoError(t, err)
	var paths []string
	for _, e := range entries {
		at := "/nix/store/" + e.Name()
		if _, _, ok := closure.ParseStorePath("/nix/store", at); ok && e.Type()&os.ModeSymlink == 0 {
			paths = append(paths, at)
		}
	}
	return paths
}

// nameText is what the name of a store path is made of (Nix src/libstore/path.cc: checkName).
var nameText = regexp.MustCompile(`^[0-9A-Za-z+._?=-]*`)

func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}

// grepPaths are the offsets at which grep finds store paths in a file. A name that begins with a dot is one where it
// is there, and else an ellipsis.
func grepPaths(t *testing.T, file string) []int64 {
	cmd := exec.Command("grep", "-aobF", "/nix/store/", file)
	cmd.Env = []string{"LC_ALL=C"}
	out, _ := cmd.Output() // fails where there are none
	if len(out) == 0 {
		return nil
	}
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	var offs []int64
	for line := range bytes.Lines(out) {
		text, _, _ := strings.Cut(string(line), ":")
		off, err := strconv.ParseInt(text, 10, 64)
		require.NoError(t, err)
		head := string(data[off:min(off+300, int64(len(data)))])
		head = head[:len("/nix/store/")+len(nameText.FindString(head[len("/nix/store/"):]))]
		if _, _, ok := closure.ParseStorePath("/nix/store", head); ok && (head[44] != '.' || exists(head)) {
			offs = append(offs, off)
		}
	}
	return offs
}

// TestMentionModel: the sensor names its model, and that is all that a bundle of it would lack.
func TestMentionModel(t *testing.T) {
	program := filepath.Join(storeDir(t, "results", "sensor-plain"), "bin", "sensor")
	program, err := filepath.EvalSymlinks(program)
	require.NoError(t, err)
	root, err := closure.OpenRoot("/")
	require.NoError(t, err)
	c, err := closure.Walk(root, []string{program}, closure.Options{})
	require.NoError(t, err)
	got, err := closure.NewMentionReader(root, closure.Options{}, c.Objects).Read(c.Objects...)
	require.NoError(t, err)
	var own []closure.Mention
	for _, m := range got {
		if m.Use == "" {
			own = append(own, m)
		}
	}
	require.Len(t, own, 1)
	m := own[0]
	assert.Equal(t, []any{closure.MentionData, ".rodata", true, program}, []any{m.Kind, m.Section, m.Whole, m.Holder})
	assert.True(t, strings.HasSuffix(m.Target, "-face-model-1.0/share/models/face.onnx"), m.Target)
	item, err := closure.ReadItem(root, m.Target, closure.Options{})
	require.NoError(t, err)
	assert.Len(t, item.Entries, 1)
	assert.Positive(t, item.Size)
}
