package report_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/closure/report"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

const jumpSlot = 7 // R_X86_64_JUMP_SLOT

// sensor is a process that has one protobuf of two that are wanted: libvision.so gets the one that libmodel.so brings.
func sensor() elftest.Tree {
	vision, model := elftest.StorePath("vision-4.6"), elftest.StorePath("model-2.14")
	old, young := elftest.StorePath("protobuf-3.21.9"), elftest.StorePath("protobuf-3.21.12")
	create := elftest.Symbol{Name: "pb_create"}
	return elftest.Tree{
		"/bin/sensor": elftest.Image{
			Interp: "/lib64/ld-linux-x86-64.so.2", Needed: []string{"libmodel.so", "libvision.so"},
			RunPath: model + "/lib:" + vision + "/lib",
		},
		"/lib64/ld-linux-x86-64.so.2": elftest.Image{Soname: "ld-linux-x86-64.so.2"},
		model + "/lib/libmodel.so":    elftest.Image{Needed: []string{"libprotobuf.so.32"}, RunPath: old + "/lib"},
		vision + "/lib/libvision.so": elftest.Image{
			Needed: []string{"libprotobuf.so.32"}, RunPath: young + "/lib",
			Symbols: []elftest.Symbol{{Name: "pb_create", Undefined: true, Relocs: []uint32{jumpSlot}}},
		},
		old + "/lib/libprotobuf.so.32": elftest.Image{Soname: "libprotobuf.so.32", Symbols: []elftest.Symbol{create}},
		young + "/lib/libprotobuf.so.32": elftest.Image{
			Soname: "libprotobuf.so.32", Symbols: []elftest.Symbol{create}, BuildID: []byte("another"),
		},
	}
}

// large is the same process with n more objects: each needs three further on, as real ones do.
func large(n int) elftest.Tree {
	t := sensor()
	name := func(i int) string { return fmt.Sprintf("libpart%03d.so.1", i) }
	dir := func(i int) string { return elftest.StorePath(fmt.Sprintf("part-%d.0", i/2)) + "/lib" }
	for i := range n {
		im := elftest.Image{Soname: name(i), Padding: 1000 * (1 + i*i%97)}
		for _, k := range []int{3*i + 1, 3*i + 2, 3*i + 3, i + 7} {
			if k < n {
				im.Needed = append(im.Needed, name(k))
				im.RunPath += dir(k) + ":"
			}
		}
		t[dir(i)+"/"+name(i)] = im
	}
	program := t["/bin/sensor"].(elftest.Image)
	program.Needed = append(program.Needed, name(0))
	program.RunPath += ":" + dir(0)
	t["/bin/sensor"] = program
	return t
}

// evil are names that mean something to HTML, to a script, to a terminal, or to a graph language.
var evil = []string{
	`"><script>alert(1)</script>.so`,
	`</script><script>alert(2)</script>.so`,
	"lib\nforged [label=\"x\"];.so",
	"lib\x1b[31mred\x1b[0m.so",
	"lib\xff\u202egnp.so",
	`lib\N\"];-->|x|.so`,
	"lib]]>&amp;<!--.so",
	"lib`**bold**`#quot;{{x}}.so",
	"end",
}

// hostile is a program whose needs have evil names: most are there, the last ones are not.
func hostile() elftest.Tree {
	t := elftest.Tree{"/lib64/ld-linux-x86-64.so.2": elftest.Image{Soname: "ld-linux-x86-64.so.2"}}
	program := elftest.Image{Interp: "/lib64/ld-linux-x86-64.so.2", RunPath: "/opt/lib"}
	for i, name := range evil {
		flat := fmt.Sprintf("lib%d.so", i) // what has a slash in it is a path, and cannot be searched
		program.Needed = append(program.Needed, name)
		if i < 6 && !bytes.ContainsRune([]byte(name), '/') {
			t["/opt/lib/"+name] = elftest.Image{Soname: name, Needed: []string{"gone-" + flat}}
		}
	}
	t["/bin/</script><script>alert(3)</script>"] = program
	t["/bin/evil"] = program
	return t
}

// reported walks programs and judges them.
func reported(tb testing.TB, t elftest.Tree, programs ...string) *report.Report {
	tb.Helper()
	c, err := closure.Walk(t.FS(), programs, closure.Options{})
	require.NoError(tb, err)
	findings, err := closure.Check(c, closure.Machine{})
	require.NoError(tb, err)
	return report.New(c, findings)
}

// written is a report in a format.
func written(tb testing.TB, r *report.Report, f report.Format) string {
	tb.Helper()
	var b bytes.Buffer
	require.NoError(tb, r.Write(&b, f))
	return b.String()
}
