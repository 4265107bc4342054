package closure_test

import (
	"debug/elf"
	"fmt"
	"log"
	"path"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// A link map has the objects in the loader's order, each with the rule that found it.
func ExampleWalk() {
	root, err := closure.OpenRoot("../testdata/demo")
	if err != nil {
		log.Fatal(err)
	}
	programs, err := closure.Programs(root, "/sensor-fixed", closure.Options{}) // all in its bin/
	if err != nil {
		log.Fatal(err)
	}
	c, err := closure.Walk(root, programs, closure.Options{})
	if err != nil {
		log.Fatal(err)
	}
	for _, m := range c.LinkMaps {
		fmt.Println(path.Base(m.Asked), m.Loader.Kind, m.Loader.Version)
		for _, l := range m.Loaded {
			if l.By == nil { // the program, and ld.so, which the kernel maps
				fmt.Println(" ", path.Base(l.Path))
				continue
			}
			fmt.Printf("  %s [%s] for %s\n", path.Base(l.Path), l.By.Rule, path.Base(l.By.From.Path))
		}
	}
	// Output:
	// sensor glibc [2 36]
	//   sensor
	//   libtflite.so.2 [run path] for sensor
	//   libvision.so.4 [run path] for sensor
	//   libc.so.6 [run path] for sensor
	//   libprotobuf-c.so.1 [run path] for libtflite.so.2
	//   ld-linux-aarch64.so.1
}

// One file is one object in the closure, and an object of its own in each process.
func ExampleClosure() {
	root, err := closure.OpenRoot("../testdata/demo")
	if err != nil {
		log.Fatal(err)
	}
	c, err := closure.Walk(root, []string{"/sensor-fixed/bin/sensor", "/sensor-conflict/bin/sensor"}, closure.Options{})
	if err != nil {
		log.Fatal(err)
	}
	inProcesses := 0
	for _, m := range c.LinkMaps {
		inProcesses += len(m.All())
	}
	fmt.Println(len(c.Objects), "files are", inProcesses, "objects in", len(c.LinkMaps), "processes")
	// Output:
	// 9 files are 12 objects in 2 processes
}

// A need has the rule that answered it, and every place that was looked at before.
func ExampleNeed() {
	root := elftest.Tree{
		"/bin/app":                    elftest.Image{Interp: "/lib64/ld-linux-x86-64.so.2", Needed: []string{"libz.so.1"}, RunPath: "$ORIGIN/../lib:/opt/lib"},
		"/lib64/ld-linux-x86-64.so.2": elftest.Image{Soname: "ld-linux-x86-64.so.2"},
		"/lib/libz.so.1":              elftest.Image{Machine: elf.EM_AARCH64, Soname: "libz.so.1"},
		"/opt/lib/libz.so.1":          elftest.Image{Soname: "libz.so.1"},
	}.FS()
	c, err := closure.Walk(root, []string{"/bin/app"}, closure.Options{})
	if err != nil {
		log.Fatal(err)
	}
	need := c.LinkMaps[0].Needs[0]
	for _, t := range need.Tried {
		fmt.Printf("%s: %s\n", t.Path, t.Why)
	}
	fmt.Printf("%s: %s\n", need.Path, need.Why())
	// Output:
	// /bin/../lib/libz.so.1: machine EM_AARCH64, not EM_X86_64
	// /opt/lib/libz.so.1: DT_RUNPATH of /bin/app
}

// What nothing answers is a fact and no error of Walk; Missing makes it one.
func ExampleClosure_Missing() {
	root := elftest.Tree{
		"/bin/app":                    elftest.Image{Interp: "/lib64/ld-linux-x86-64.so.2", Needed: []string{"libgone.so.1"}, RunPath: "/opt/lib"},
		"/lib64/ld-linux-x86-64.so.2": elftest.Image{Soname: "ld-linux-x86-64.so.2"},
	}.FS()
	c, err := closure.Walk(root, []string{"/bin/app"}, closure.Options{Loader: &closure.Loader{Kind: closure.LoaderGlibc}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(c.LinkMaps[0].Needs[0].To == nil)
	fmt.Println(c.Missing())
	// Output:
	// true
	// libgone.so.1: not found: needed by app
	//   tried /opt/lib/libgone.so.1 [run path]: no such directory
}

// What a program opens at run time is walked behind what it loads at start.
func ExampleOpened() {
	root := elftest.Tree{
		"/bin/app":                    elftest.Image{Interp: "/lib64/ld-linux-x86-64.so.2"},
		"/lib64/ld-linux-x86-64.so.2": elftest.Image{Soname: "ld-linux-x86-64.so.2"},
		"/lib/app/plugin.so":          elftest.Image{Needed: []string{"libjpeg.so.8"}, RunPath: "$ORIGIN"},
		"/lib/app/libjpeg.so.8":       elftest.Image{Soname: "libjpeg.so.8"},
	}.FS()
	c, err := closure.Walk(root, []string{"/bin/app"}, closure.Options{
		Opened: []closure.Opened{{Name: "/lib/app/plugin.so"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	m := c.LinkMaps[0]
	fmt.Println(len(m.Loaded), "at start")
	for _, l := range m.Opened[0].Scope {
		fmt.Println(l.Path)
	}
	// Output:
	// 1 at start
	// /lib/app/plugin.so
	// /lib/app/libjpeg.so.8
}

// A path is taken as text.
func ExampleParseStorePath() {
	sp, rest, ok := closure.ParseStorePath("/nix/store",
		"/nix/store/lqyybqfbpqphwkaxag3z4cksh8swyixi-vision-aarch64-unknown-linux-gnu-4.6.0/lib/libvision.so.4")
	fmt.Println(ok, sp.Package(), sp.Version(), rest)
	fmt.Println(sp.Short())
	// Output:
	// true vision 4.6.0 /lib/libvision.so.4
	// lqyybqfb-vision-aarch64-unknown-linux-gnu-4.6.0
}

// Every chain of needs that brings a library, the shortest first.
func ExampleClosure_Why() {
	root, err := closure.OpenRoot("../testdata/demo")
	if err != nil {
		log.Fatal(err)
	}
	c, err := closure.Walk(root, []string{"/sensor-fixed/bin/sensor"}, closure.Options{})
	if err != nil {
		log.Fatal(err)
	}
	for _, reason := range c.Why(c.LinkMaps[0], "protobuf-c", 10) {
		for _, chain := range reason.Chains {
			for _, need := range chain {
				fmt.Print(path.Base(need.From.Path), " -> ")
			}
			fmt.Println(path.Base(reason.Name))
		}
	}
	// Output:
	// sensor -> libtflite.so.2 -> libprotobuf-c.so.1
	// sensor -> libvision.so.4 -> libprotobuf-c.so.1
}

// Which store paths weigh most, and what would go away without them.
func ExampleClosure_ByStorePath() {
	root, err := closure.OpenRoot("../testdata/demo")
	if err != nil {
		log.Fatal(err)
	}
	c, err := closure.Walk(root, []string{"/sensor-fixed/bin/sensor"}, closure.Options{})
	if err != nil {
		log.Fatal(err)
	}
	for _, part := range c.ByStorePath() {
		sp, _, _ := closure.ParseStorePath(c.StoreDir, part.Path)
		fmt.Println(sp.Package(), part.Size, "bytes,", part.Retained, "with what only it brings")
	}
	// Output:
	// glibc 1854320 bytes, 1854320 with what only it brings
	// protobuf-c 132848 bytes, 132848 with what only it brings
	// tflite 67664 bytes, 67664 with what only it brings
	// sensor-fixed 67632 bytes, 2190088 with what only it brings
	// vision 67624 bytes, 67624 with what only it brings
}
