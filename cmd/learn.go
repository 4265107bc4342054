package cmd

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/cmd/schema"
)

func (a *app) learnCommand() *cobra.Command {
	var flags followFlags
	c := &cobra.Command{
		Use:   "learn LOG PROGRAM...",
		Short: "Print the options for what a recorded run opened and a bundle would miss",
		Long: `Read a log of a run and print an option for each library, file and folder of the store that the
run opened and that a bundle of the programs would not have, one on a line. The log is what glibc
writes with LD_DEBUG=files or LD_DEBUG=libs, strace with -f, or qemu with -strace; which one, its
lines tell. LD_DEBUG tells of libraries and who opens them, the others of all files.

A library is an --open, with who calls dlopen where the log says that; what it needs, and what it
opens itself as far as its files tell, comes with it. All else is an --include. What the run did
not find is no part of the answer. Each line is one argument, whatever is in it.
` + exitHelp,
		Example: "  LD_DEBUG=files ./result/bin/sensor 2>log\n  nixbundle learn log ./result/bin/sensor\n" +
			"  nixbundle learn log ./result/bin/sensor |\n    xargs -d '\\n' nixbundle ./result/bin/sensor -o sensor.tar.zst",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) < 2 {
				return usageError{errors.New("name a log and a program: " + c.UseLine())}
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			follow, err := a.follow(&flags)
			if err != nil {
				return err
			}
			return a.learn(args[0], args[1:], follow)
		},
	}
	flags.add(c)
	a.addGiven(c)
	a.addJSON(c)
	return c
}

func (a *app) learn(log string, args []string, follow closure.Follow) error {
	recording, err := readRecording(log)
	if err != nil {
		return err
	}
	root, programs, err := a.open(args)
	if err != nil {
		return err
	}
	lacks, err := closure.Learn(root, programs, a.given, follow, recording)
	if err != nil {
		return err
	}
	return a.printLacks(lacks)
}

func readRecording(log string) (*closure.Recording, error) {
	f, err := os.Open(log)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	recording, err := closure.ReadRecording(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", log, err)
	}
	return recording, nil
}

type lacksJSON struct {
	answer
	Lacks []lackJSON `json:"lacks"`
}

type lackJSON struct {
	Option string `json:"option,omitempty"`
	By     string `json:"by,omitempty"`
	Name   string `json:"name,omitempty"`
	Path   string `json:"path"`
}

func (a *app) printLacks(lacks []closure.Lack) error {
	list := []lackJSON{}
	for _, k := range lacks {
		option, ok := lackOption(k)
		if !ok {
			a.tell("%s: no option can say this name", k.Path)
			option = ""
		}
		list = append(list, lackJSON{option, k.By, k.Name, k.Path})
		if ok && !a.json {
			fprintf(a.Stdout, "%s\n", option)
		}
	}
	if !a.json {
		return nil
	}
	return a.printJSON(lacksJSON{answer{schema.Learn}, list})
}

// lackOption is the option for what a bundle lacks. A caller with "=" in its name cannot be told; what it
// opens then is, by its path. A name with what cannot be seen would not survive being printed.
func lackOption(k closure.Lack) (option string, ok bool) {
	by, name := k.By, k.Name
	if strings.Contains(by, "=") {
		by, name = "", k.Path
	}
	switch {
	case name == "":
		option = "--include=" + k.Path
	case by != "" || strings.Contains(name, "="):
		option = "--open=" + by + "=" + name
	default:
		option = "--open=" + name
	}
	return option, closure.Visible(option) == option
}
