package cmd

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nixbundle/nixbundle/bundle"
	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch"
)

func (a *app) inspectCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "inspect FILE",
		Short: "Print the facts of an ELF file, or what is in a bundle",
		Long: `Print what an ELF file says of itself to a loader, and the defects for which kernel or loader
would not map it or go astray in it (then the exit status is 3); or, for a bundle (an archive, or
a folder it was unpacked to), its programs and what each file is and was. A bundle is not unpacked
for it, and what it says of itself is not believed further than to print it.
` + exitHelp,
		Example: "  nixbundle inspect ./result/bin/sensor\n  nixbundle inspect sensor.tar.zst",
		Args:    exactlyOne,
		RunE:    func(_ *cobra.Command, args []string) error { return a.inspect(args[0]) },
	}
	a.addJSON(c)
	return c
}

func (a *app) inspect(name string) error {
	object, err := a.object(name)
	switch {
	case err == nil:
		return a.inspectELF(object)
	case filepath.Clean(a.rootDir) != "/" || !mayBeBundle(err):
		return err
	}
	archive, err := bundle.Open(name)
	if err != nil {
		return err
	}
	defer archive.Close()
	if a.json {
		return a.printJSON(archive.Manifest)
	}
	printManifest(a.Stdout, archive.Manifest)
	return nil
}

// inspectELF prints the facts of an ELF file, and what kernel and loader would not take of it.
func (a *app) inspectELF(object *closure.Object) error {
	src, err := object.Open()
	if err != nil {
		return err
	}
	defer src.Close()
	defects, err := elfpatch.Check(src, object.Size)
	if err == nil && a.json {
		err = a.printJSON(newInspectJSON(object.Path, object.Info, defects))
	} else if err == nil {
		printELF(a.Stdout, object.Info)
		for _, d := range defects {
			fprintf(a.Stdout, "%s %v\n", inkError.of(fmt.Sprintf("%-10s", "defect")), d)
		}
	}
	if err == nil && len(defects) > 0 {
		err = errFindings
	}
	return err
}

// object reads an ELF file of the root.
func (a *app) object(name string) (*closure.Object, error) {
	root, err := closure.OpenRoot(a.rootDir)
	if err != nil {
		return nil, err
	}
	inside, err := a.insideRoot(name)
	if err != nil {
		return nil, err
	}
	return closure.ReadObject(root, inside)
}

// mayBeBundle reports whether what is no ELF file may be a bundle: a folder, or a file of another
// kind that can be read.
func mayBeBundle(err error) bool {
	var program *closure.ProgramError
	return errors.As(err, &program) && (program.Err == nil || errors.Is(err, elfpatch.ErrNotELF))
}

// printELF prints an Info, a fact a line; facts that a file does not have are left out.
func printELF(w io.Writer, i *elfpatch.Info) {
	fact := func(name, value string) {
		if value != "" {
			fprintf(w, "%s %s\n", inkName.of(fmt.Sprintf("%-10s", name)), value)
		}
	}
	fact("type", fmt.Sprintf("%s, %s, %s, %s", i.Type, i.Machine, i.Class, i.Data))
	fact("interp", i.Interp)
	if i.Stub != nil {
		fact("loader", i.Stub.Loader+" (relative to the program, by a start stub)")
		fact("entry", fmt.Sprintf("%#x (behind the stub)", i.Stub.Entry))
	}
	fact("soname", i.Soname)
	for _, n := range i.Needed {
		fact("needed", n)
	}
	if i.HasRPath {
		fact("rpath", quoteEmpty(i.RPath))
	}
	if i.HasRunPath {
		fact("run path", quoteEmpty(i.RunPath))
	}
	for _, v := range i.VerNeeds {
		var names []string
		for _, n := range v.Versions {
			names = append(names, n.Name)
		}
		fact("versions", v.File+": "+strings.Join(names, " "))
	}
	fact("build id", hex.EncodeToString(i.BuildID))
	if present, exec := i.Stack(); present && exec {
		fact("stack", "executable")
	}
	if i.MaxAlign() > 0 {
		fact("align", fmt.Sprintf("%d bytes", i.MaxAlign()))
	}
}

func quoteEmpty(s string) string {
	if s == "" {
		return `""`
	}
	return s
}

// printManifest prints what is in a bundle.
func printManifest(w io.Writer, m *bundle.Manifest) {
	for _, p := range m.Programs {
		fprintf(w, "program %s: interpreter %s\n", inkName.of(p.Entry), p.Strategy)
	}
	for _, e := range m.Entries {
		switch {
		case e.Link != "":
			fprintf(w, "%s -> %s\n", e.Path, e.Link)
		case e.SHA256 != "" && e.Source == "":
			fprintf(w, "%s  %d bytes  made by nixbundle\n", e.Path, e.Size)
		case e.SHA256 != "":
			fprintf(w, "%s  %d bytes  from %s\n", e.Path, e.Size, e.Source)
		}
		for _, c := range e.Edits {
			fprintf(w, "    %s: %s -> %s\n", c.What, orNone(c.From), orNone(c.To))
		}
	}
	for _, f := range m.Accepted {
		printRecorded(w, f.Name, f.What, f.Kept)
	}
}
