package closure_test

import (
	"fmt"
	"path"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// Two libraries want one protobuf each, under one soname. The loader keeps the first.
func Example() {
	vision, model := elftest.StorePath("vision-4.6"), elftest.StorePath("model-2.14")
	old, new := elftest.StorePath("protobuf-3.21.9"), elftest.StorePath("protobuf-3.21.12")
	root := elftest.Tree{
		"/bin/sensor": elftest.Image{
			Interp: "/lib64/ld-linux-x86-64.so.2", Needed: []string{"libmodel.so", "libvision.so"},
			RunPath: model + "/lib:" + vision + "/lib",
		},
		"/lib64/ld-linux-x86-64.so.2":  elftest.Image{Soname: "ld-linux-x86-64.so.2"},
		model + "/lib/libmodel.so":     elftest.Image{Needed: []string{"libprotobuf.so.32"}, RunPath: old + "/lib"},
		vision + "/lib/libvision.so":   elftest.Image{Needed: []string{"libprotobuf.so.32"}, RunPath: new + "/lib"},
		old + "/lib/libprotobuf.so.32": elftest.Image{Soname: "libprotobuf.so.32"},
		new + "/lib/libprotobuf.so.32": elftest.Image{Soname: "libprotobuf.so.32", BuildID: []byte("another")},
	}.FS()

	c, err := closure.Walk(root, []string{"/bin/sensor"}, closure.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, l := range c.LinkMaps[0].Loaded[1:] {
		fmt.Printf("%s [%v]\n", path.Base(l.Path), l.By.Rule)
	}
	findings, err := closure.Judge(c)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range findings {
		if f.Severity > closure.Warning {
			continue
		}
		fmt.Println(f.Severity, f.Kind, f.Name)
		for _, file := range f.Copies {
			sp, _, _ := closure.ParseStorePath(c.StoreDir, file.Path)
			fmt.Printf("  %s, wanted by %s\n", sp.Name, path.Base(file.Chains[0][1].From.Path))
		}
	}
	// Output:
	// libmodel.so [run path]
	// libvision.so [run path]
	// libprotobuf.so.32 [run path]
	// error same-soname libprotobuf.so.32
	//   protobuf-3.21.9, wanted by libmodel.so
	//   protobuf-3.21.12, wanted by libvision.so
}
