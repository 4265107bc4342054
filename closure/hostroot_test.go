package closure_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// TestOpenRoot: a root is a file system as io/fs wants it.
func TestOpenRoot(t *testing.T) {
	files := elftest.Tree{"bin/prog": elftest.Script("text"), "lib/deep/liba.so": elftest.Data("more"), "none": elftest.Dir{}}
	for i := range 300 { // more directories than are kept open
		files["many/"+string(rune('a'+i%26))+"/"+string(rune('a'+i/26))+"/x"] = elftest.Data("x")
	}
	root, err := closure.OpenRoot(elftest.WriteTree(t, files))
	if err != nil {
		t.Fatal(err)
	}
	if err := fstest.TestFS(root, "bin/prog", "lib/deep/liba.so", "none", "many/z/a/x"); err != nil {
		t.Fatal(err)
	}
}

// TestOpenRootIsClosed: no link leads out of a root, whether it is looked up as a whole or in a
// directory that was swapped for one.
func TestOpenRootIsClosed(t *testing.T) {
	dir := elftest.WriteTree(t, elftest.Tree{
		"out/secret": elftest.Data("secret"), "root/in/x": elftest.Data("x"), "root/up": elftest.Link("../out"),
		"root/all": elftest.Link("/"), "root/file": elftest.Link("../out/secret"), "root/inner": elftest.Link("in/x"),
	})
	root, err := closure.OpenRoot(dir + "/root")
	if err != nil {
		t.Fatal(err)
	}
	swap := func() {
		if err := os.Rename(dir+"/root/in", dir+"/root/old"); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(dir+"/out", dir+"/root/in"); err != nil {
			t.Fatal(err)
		}
	}
	if text, err := fs.ReadFile(root, "inner"); err != nil || string(text) != "x" {
		t.Errorf("a link inside: got %q, %v", text, err)
	}
	swap()
	for _, name := range []string{"up/secret", "file", "all/out/secret", "in/secret", "../out/secret", filepath.Join(dir, "out/secret")} {
		if text, err := fs.ReadFile(root, name); err == nil {
			t.Errorf("%s: got %q", name, text)
		}
		if _, err := fs.Lstat(root, name); err == nil && name != "file" {
			t.Errorf("%s: lstat leads out", name)
		}
	}
	if _, err := fs.ReadFile(root, "nowhere"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
