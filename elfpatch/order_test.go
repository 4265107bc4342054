package elfpatch_test

import (
	"bytes"
	"debug/elf"
	"slices"
	"testing"

	"github.com/nixbundle/nixbundle/elfpatch"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// TestDependencies: dependencies keep the order of the dynamic section, where filters may stand before needs, and an
// edit tells what becomes of it.
func TestDependencies(t *testing.T) {
	im := elftest.Image{Soname: "liba.so", Auxiliary: []string{"aux.so"}, Spare: 8, Dyn: []elftest.Dyn{
		{Tag: elf.DT_NEEDED, Str: "one.so"}, {Tag: elf.DynTag(0x7fffffff), Str: "filter.so"}, {Tag: elf.DT_NEEDED, Str: "two.so"},
	}}
	for _, test := range []struct {
		name string
		im   elftest.Image
		edit elfpatch.Edit
		want []string
	}{
		{"as it is", im, elfpatch.Edit{}, []string{"aux.so", "one.so", "filter.so", "two.so"}},
		{"usual", elftest.Image{Needed: []string{"one.so"}, Filter: []string{"filter.so"}, Auxiliary: []string{"aux.so"}}, elfpatch.Edit{},
			[]string{"one.so", "filter.so", "aux.so"}},
		{"added", im, elfpatch.Edit{AddNeeded: []string{"x.so", "y.so"}}, []string{"aux.so", "x.so", "y.so", "one.so", "filter.so", "two.so"}},
		{"removed", im, elfpatch.Edit{RemoveNeeded: []string{"one.so"}, AddNeeded: []string{"x.so"}}, []string{"aux.so", "x.so", "filter.so", "two.so"}},
		{"renamed", im, elfpatch.Edit{ReplaceNeeded: map[string]string{"two.so": "2.so"}}, []string{"aux.so", "one.so", "filter.so", "2.so"}},
	} {
		b := test.im.Bytes()
		in, err := elfpatch.Read(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		out, err := elfpatch.Apply(bytes.NewReader(b), int64(len(b)), test.edit)
		if err != nil {
			t.Fatal(err)
		}
		after, err := elfpatch.Read(out, out.Size())
		if err != nil {
			t.Fatal(err)
		}
		for _, info := range []*elfpatch.Info{after, test.edit.Applied(in)} {
			var got []string
			for _, name := range info.Dependencies() {
				got = append(got, name)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("%s: got %q, want %q", test.name, got, test.want)
			}
		}
	}
}
