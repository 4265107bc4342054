package cmd

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nixbundle/nixbundle/bundle"
	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/cmd/schema"
)

// targetFlags name the machine that a bundle runs on.
type targetFlags struct{ name, root string }

func (f *targetFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.name, "target", "", "the machine `NAME` that it is for, such as raspios-bookworm (nixbundle targets lists them)")
	c.Flags().StringVar(&f.root, "target-root", "", "the same, read from `DIR`, which holds its file system")
}

// target is the target that the flags name; nil where they name none.
func (f *targetFlags) target() (*bundle.Target, error) {
	switch {
	case f.name != "" && f.root != "":
		return nil, usageError{errors.New("--target and --target-root both name the target: give one")}
	case f.name != "":
		return bundle.ParseTarget(f.name)
	case f.root != "":
		root, err := closure.OpenRoot(f.root)
		if err != nil {
			return nil, err
		}
		return bundle.TargetFromRoot(root, f.root)
	}
	return nil, nil
}

// machine is what an audit wants to know of the target; nothing where none is named.
func (f *targetFlags) machine(c *closure.Closure) (closure.Machine, error) {
	target, err := f.target()
	if target == nil || err != nil {
		return closure.Machine{}, err
	}
	m := c.LinkMaps[0]
	port, err := target.On(m.Program().Object.Info, m.Loader.Kind)
	if err != nil {
		return closure.Machine{}, err
	}
	return port.Machine(false), nil
}

func (a *app) targetsCommand() *cobra.Command {
	var root string
	c := &cobra.Command{
		Use:   "targets",
		Short: "List the machines that --target knows, and what each provides",
		Long: `List the targets that --target knows, the oldest C library first: the C library, the newest
versions that libstdc++ and libgcc_s define, the page sizes of the kernels, and the least
processor. With --target-root it tells the same of a real root.
` + exitHelp,
		Example: "  nixbundle targets\n  nixbundle targets --target-root /mnt/pi",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			targets := bundle.Targets()
			if root != "" {
				t, err := (&targetFlags{root: root}).target()
				if err != nil {
					return err
				}
				targets = []*bundle.Target{t}
			}
			return a.printTargets(targets)
		},
	}
	c.Flags().StringVar(&root, "target-root", "", "`DIR` that holds the file system of a target")
	a.addJSON(c)
	return c
}

type targetsJSON struct {
	answer
	Targets []portJSON `json:"targets"`
}

// portJSON is one target on one machine.
type portJSON struct {
	Target    string   `json:"target"`
	Arch      string   `json:"arch"`
	Interp    string   `json:"interp"`
	Libc      string   `json:"libc"`
	Versions  []string `json:"versions"` // the newest of each family
	PageSizes []uint64 `json:"pageSizes"`
	ISA       string   `json:"isa,omitempty"`
}

func (a *app) printTargets(targets []*bundle.Target) error {
	ports := []portJSON{}
	for _, t := range targets {
		for _, p := range t.Ports {
			ports = append(ports, portJSON{t.Name, p.Arch, p.Interp, p.LibcText(), newestVersions(p), append([]uint64{}, p.PageSizes...), p.ISA})
		}
	}
	if a.json {
		return a.printJSON(targetsJSON{answer{schema.Targets}, ports})
	}
	for _, p := range ports {
		words := append([]string{p.Libc}, p.Versions...)
		for _, size := range p.PageSizes {
			words = append(words, fmt.Sprintf("%dK", size>>10))
		}
		if p.ISA != "" {
			words = append(words, p.ISA)
		}
		fprintf(a.Stdout, "%s %-7s %s\n", inkName.of(fmt.Sprintf("%-17s", p.Target)), p.Arch, strings.Join(words, " "))
	}
	return nil
}

// newestVersions are the newest versions that libstdc++ and libgcc_s of a target define.
func newestVersions(p *bundle.Port) []string {
	newest := []string{}
	for _, of := range [][2]string{{"libstdc++.so.6", "GLIBCXX_"}, {"libstdc++.so.6", "CXXABI_"}, {"libgcc_s.so.1", "GCC_"}} {
		if v := p.Newest(of[0], of[1]); v != "" {
			newest = append(newest, v)
		}
	}
	return newest
}
