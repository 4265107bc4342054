package cmd

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/closure/nixdb"
)

const maxPathInfo = 256 << 20 // bytes: of a hundred thousand store paths it is some 100 MB

// addReferences gives a verb the flag that says where Nix's references come from.
func (a *app) addReferences(c *cobra.Command) {
	c.Flags().StringVar(&a.refs, "references", "", "`FILE` with what \"nix path-info --json -r\" printed (default: Nix's database in the root)")
}

// referencesHint says how to make Nix's references known.
const referencesHint = "with --references FILE, which holds what \"nix path-info --json -r\" printed"

// references are Nix's references of the programs: those in the file of --references, or in Nix's database
// in the root. nil where that is not there, or cannot be read, which is said.
func (a *app) references(root fs.FS, c *closure.Closure) (*closure.References, error) {
	if a.refs != "" {
		return readPathInfo(a.refs)
	}
	r, err := closure.ReadReferences(root, c)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		a.say(err)
	}
	return r, nil
}

func readPathInfo(name string) (*closure.References, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxPathInfo+1))
	if err == nil && len(data) > maxPathInfo {
		err = fmt.Errorf("larger than %d bytes", maxPathInfo)
	}
	var records []nixdb.Record
	if err == nil {
		records, err = nixdb.ParsePathInfo(data)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return closure.NewReferences(records), nil
}
