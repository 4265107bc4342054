package closure_test

import (
	"fmt"
	"log"
	"os"
	"path"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/closure/nixdb"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// Which definition each reference reaches, as the loader would bind it.
func ExampleBind() {
	root, err := closure.OpenRoot("../testdata/demo")
	if err != nil {
		log.Fatal(err)
	}
	c, err := closure.Walk(root, []string{"/sensor-fixed/bin/sensor"}, closure.Options{})
	if err != nil {
		log.Fatal(err)
	}
	bindings, err := closure.Bind(c.LinkMaps[0])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(bindings.Len(), "references,", len(bindings.Faults), "versions missing")
	for b := range bindings.Of("protobuf_c_message_unpack") {
		fmt.Println(path.Base(b.From.Path), "binds", b.Symbol+"@"+b.Version, "to", path.Base(b.To.Path))
	}
	// Output:
	// 161 references, 0 versions missing
	// libtflite.so.2 binds protobuf_c_message_unpack@LIBPROTOBUF_C_1.0.0 to libprotobuf-c.so.1
	// libvision.so.4 binds protobuf_c_message_unpack@LIBPROTOBUF_C_1.0.0 to libprotobuf-c.so.1
	// libprotobuf-c.so.1 binds protobuf_c_message_unpack@LIBPROTOBUF_C_1.0.0 to libprotobuf-c.so.1
}

// What is wrong is data: who is concerned, which copy the loader keeps, and what to do.
func ExampleJudge() {
	root, err := closure.OpenRoot("../testdata/demo")
	if err != nil {
		log.Fatal(err)
	}
	c, err := closure.Walk(root, []string{"/sensor-conflict/bin/sensor"}, closure.Options{})
	if err != nil {
		log.Fatal(err)
	}
	findings, err := closure.Judge(c)
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range findings {
		if f.Severity != closure.Error {
			continue
		}
		fmt.Println(f.Kind, f.Name, f.References)
		for _, file := range f.Copies {
			sp, _, _ := closure.ParseStorePath(c.StoreDir, file.Path)
			fmt.Println(" ", sp.Version(), "kept:", file.Kept)
			for _, chain := range file.Chains {
				fmt.Println("    by", path.Base(chain[len(chain)-1].From.Path))
			}
		}
		fmt.Println(" ", f.Advice)
	}
	// Output:
	// same-soname libprotobuf-c.so.1 6
	//   1.3.3 kept: true
	//     by libtflite.so.2
	//   1.4.1 kept: false
	//     by libvision.so.4
	//   build both users against one protobuf-c (one nixpkgs, or an override), or run them as two processes
}

// What a machine cannot do is found before anything is copied there: here, map segments into larger pages.
func ExampleCheck() {
	root := elftest.Tree{
		"/bin/app":                    elftest.Image{Interp: "/lib64/ld-linux-x86-64.so.2", Needed: []string{"libold.so"}, RunPath: "/lib", PageAlign: 65536},
		"/lib64/ld-linux-x86-64.so.2": elftest.Image{Soname: "ld-linux-x86-64.so.2", PageAlign: 65536},
		"/lib/libold.so":              elftest.Image{PageAlign: 4096},
	}.FS()
	c, err := closure.Walk(root, []string{"/bin/app"}, closure.Options{})
	if err != nil {
		log.Fatal(err)
	}
	findings, err := closure.Check(c, closure.Machine{PageSizes: []uint64{16384}})
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range findings {
		if f.Severity == closure.Error {
			fmt.Println(f.Kind, f.Name)
		}
	}
	// Output:
	// page-size 16 KiB pages
}

// A finding that somebody has looked at stays accepted until one of the packages changes.
func ExampleClosure_Sift() {
	root, err := closure.OpenRoot("../testdata/demo")
	if err != nil {
		log.Fatal(err)
	}
	c, err := closure.Walk(root, []string{"/sensor-conflict/bin/sensor"}, closure.Options{})
	if err != nil {
		log.Fatal(err)
	}
	findings, err := closure.Judge(c)
	if err != nil {
		log.Fatal(err)
	}
	errors := 0
	for errors < len(findings) && findings[errors].Severity == closure.Error {
		errors++
	}
	accepted := []closure.Acceptance{c.Accept(&findings[0], "vision only reads what 1.3.3 writes")}
	open, _, stale := c.Sift(findings[:errors], accepted)
	fmt.Println(errors, "found,", len(open), "open,", len(stale), "stale")

	// The record is a file to be kept beside the sources.
	if err := closure.WriteAcceptances(os.Stdout, accepted); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 1 found, 0 open, 0 stale
	// {
	//   "schema": "nixbundle.accept/v1",
	//   "accepted": [
	//     {
	//       "kind": "same-soname",
	//       "program": "sensor",
	//       "name": "libprotobuf-c.so.1",
	//       "copies": [
	//         "protobuf-c-aarch64-unknown-linux-gnu-1.3.3",
	//         "protobuf-c-aarch64-unknown-linux-gnu-1.4.1"
	//       ],
	//       "reason": "vision only reads what 1.3.3 writes"
	//     }
	//   ]
	// }
}

// Nix's closure holds a store path because its digest stands in a file, be it needed or not.
func ExampleClosure_WhyHeld() {
	app, model, shell := elftest.StorePath("app-1.0"), elftest.StorePath("model-2.1"), elftest.StorePath("bash-5.2")
	root := elftest.Tree{
		app + "/bin/app":              elftest.Image{Interp: "/lib64/ld-linux-x86-64.so.2"},
		"/lib64/ld-linux-x86-64.so.2": elftest.Image{Soname: "ld-linux-x86-64.so.2"},
		model + "/convert.sh":         elftest.Script("#!" + shell + "/bin/bash\n"),
		shell + "/bin/bash":           elftest.Data("a shell"),
	}.FS()
	c, err := closure.Walk(root, []string{app + "/bin/app"}, closure.Options{})
	if err != nil {
		log.Fatal(err)
	}
	references := closure.NewReferences([]nixdb.Record{ // as nixdb.ParsePathInfo gives them
		{Path: app, NarSize: 90_000, References: []string{model}},
		{Path: model, NarSize: 50_000, References: []string{shell}},
		{Path: shell, NarSize: 7_000_000},
	})
	for _, held := range c.WhyHeld(c.LinkMaps[0], "bash", closure.Holders{Root: root, References: references}, 1) {
		for _, r := range held.Chains[0] {
			from, _, _ := closure.ParseStorePath(c.StoreDir, r.From)
			to, _, _ := closure.ParseStorePath(c.StoreDir, r.To)
			fmt.Println(from.Name, "names", to.Name)
		}
	}
	// Output:
	// app-1.0 names model-2.1
	// model-2.1 names bash-5.2
}
