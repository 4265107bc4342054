package cmd

import (
	"encoding/hex"
	"fmt"

	"github.com/nixbundle/nixbundle/cmd/schema"
	"github.com/nixbundle/nixbundle/elfpatch"
)

type inspectJSON struct {
	answer
	Path      string            `json:"path"`
	Type      string            `json:"type"`
	Machine   string            `json:"machine"`
	Class     string            `json:"class"`
	Data      string            `json:"data"`
	Interp    string            `json:"interp,omitempty"`
	Loader    string            `json:"loader,omitempty"` // relative to the program, of a start stub
	Entry     string            `json:"entry,omitempty"`  // behind the stub
	Soname    string            `json:"soname,omitempty"`
	Needed    []string          `json:"needed"`
	RPath     *string           `json:"rpath,omitempty"`
	RunPath   *string           `json:"runPath,omitempty"`
	Versions  []versionNeedJSON `json:"versionNeeds"`
	BuildID   string            `json:"buildId,omitempty"`
	Align     uint64            `json:"align"`
	ExecStack bool              `json:"executableStack"`
	Defects   []defectJSON      `json:"defects"`
}

type versionNeedJSON struct {
	File     string   `json:"file"`
	Versions []string `json:"versions"`
}

type defectJSON struct {
	Offset int64  `json:"offset"`
	What   string `json:"what"`
}

func newInspectJSON(name string, i *elfpatch.Info, defects []*elfpatch.FormatError) inspectJSON {
	j := inspectJSON{
		answer: answer{schema.InspectELF}, Path: name, Type: i.Type.String(), Machine: i.Machine.String(), Class: i.Class.String(), Data: i.Data.String(),
		Interp: i.Interp, Soname: i.Soname, Needed: append([]string{}, i.Needed...), RPath: optional(i.HasRPath, i.RPath),
		RunPath: optional(i.HasRunPath, i.RunPath), Versions: []versionNeedJSON{}, BuildID: hex.EncodeToString(i.BuildID),
		Align: i.MaxAlign(), Defects: []defectJSON{},
	}
	if i.Stub != nil {
		j.Loader, j.Entry = i.Stub.Loader, fmt.Sprintf("%#x", i.Stub.Entry)
	}
	for _, v := range i.VerNeeds {
		n := versionNeedJSON{v.File, []string{}}
		for _, version := range v.Versions {
			n.Versions = append(n.Versions, version.Name)
		}
		j.Versions = append(j.Versions, n)
	}
	if present, executable := i.Stack(); present && executable {
		j.ExecStack = true
	}
	for _, d := range defects {
		j.Defects = append(j.Defects, defectJSON{d.Off, d.What()})
	}
	return j
}

// optional is s where there is one.
func optional(has bool, s string) *string {
	if has {
		return &s
	}
	return nil
}
