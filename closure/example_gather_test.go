package closure_test

import (
	"fmt"
	"log"
	"path"
	"strings"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// A wrapper is read and not run: what it starts is walked, and what it names comes along.
func ExampleGather() {
	app, data := elftest.StorePath("app-1.0"), elftest.StorePath("faces-2.1")
	root := elftest.Tree{
		app + "/bin/app": elftest.Script("#!/bin/bash -e\nexport FACES='" + data + "/share/faces'\n" +
			"exec \"" + app + "/bin/.app-wrapped\" \"$@\"\n"),
		app + "/bin/.app-wrapped":     elftest.Image{Interp: "/lib64/ld-linux-x86-64.so.2"},
		"/lib64/ld-linux-x86-64.so.2": elftest.Image{Soname: "ld-linux-x86-64.so.2"},
		data + "/share/faces/one.png": elftest.Data("a face"),
	}.FS()
	c, err := closure.Gather(root, []string{app + "/bin/app"}, closure.Options{}, closure.Follow{})
	if err != nil {
		log.Fatal(err)
	}
	m := c.LinkMaps[0]
	fmt.Println(path.Base(m.Asked), "starts", path.Base(m.Program().Path))
	for _, change := range m.Setup.Env {
		fmt.Println(change.Op, change.Name)
	}
	for _, item := range c.Items {
		fmt.Println(strings.TrimPrefix(item.Path, data), item.Size, "bytes")
	}
	// Output:
	// app starts .app-wrapped
	// set FACES
	// /share/faces 6 bytes
}

// What is named by nobody is taken along because the caller says so, and where to.
func ExampleFollow() {
	app, data := elftest.StorePath("app-1.0"), elftest.StorePath("faces-2.1")
	root := elftest.Tree{
		app + "/bin/app":              elftest.Image{Interp: "/lib64/ld-linux-x86-64.so.2"},
		"/lib64/ld-linux-x86-64.so.2": elftest.Image{Soname: "ld-linux-x86-64.so.2"},
		data + "/share/one.png":       elftest.Data("a face"),
		data + "/share/notes.txt":     elftest.Data("not this"),
	}.FS()
	c, err := closure.Gather(root, []string{app + "/bin/app"}, closure.Options{}, closure.Follow{
		Include: []closure.Include{{Pattern: data + "/**/*.png", Dest: "share/faces/one.png"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, item := range c.Items {
		fmt.Println(path.Base(item.Path), "goes to", item.Dest)
	}
	// Output:
	// one.png goes to share/faces/one.png
}

// Paths of the store stand in files as text; what is there decides what they name.
func ExampleMentionReader() {
	app, data := elftest.StorePath("app-1.0"), elftest.StorePath("faces-2.1")
	root := elftest.Tree{
		app + "/bin/app": elftest.Image{Interp: "/lib64/ld-linux-x86-64.so.2",
			Rodata: []byte("model: " + data + "/share/model.onnx\x00" + app + "/src/main.c\x00")},
		data + "/share/model.onnx": elftest.Data("weights"),
	}.FS()
	reader := closure.NewMentionReader(root, closure.Options{}, nil)
	program, err := reader.Holder(app + "/bin/app")
	if err != nil {
		log.Fatal(err)
	}
	mentions, err := reader.Read(program)
	if err != nil {
		log.Fatal(err)
	}
	for _, m := range mentions {
		fmt.Println(path.Base(m.Path), m.Kind, m.Section, m.Whole)
	}
	// Output:
	// model.onnx data .rodata false
	// main.c source .rodata true
}

// A Scanner finds paths in bytes as they pass by.
func ExampleScanner() {
	s := closure.NewScanner("")
	for _, piece := range []string{"see /nix/st", "ore/0a3z02s7ymamvdpiiwigr35in8h9258b-zlib-1.3/lib", " for more"} {
		if _, err := s.Write([]byte(piece)); err != nil {
			log.Fatal(err)
		}
	}
	found, err := s.Finish()
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range found {
		fmt.Println(f.Off, f.Text)
	}
	// Output:
	// 4 /nix/store/0a3z02s7ymamvdpiiwigr35in8h9258b-zlib-1.3/lib for more
}

// The rules say where known libraries have their plugins, and by which variable they are told otherwise.
func ExamplePluginRules() {
	for _, rule := range closure.PluginRules() {
		if strings.HasPrefix(rule.Name, "openssl") {
			fmt.Println(rule.Name, rule.Sonames, rule.Dirs, rule.Vars[0].Name, rule.Use)
		}
	}
	// Output:
	// openssl-providers [libcrypto.so.3] [lib/ossl-modules lib64/ossl-modules] OPENSSL_MODULES take
	// openssl-engines [libcrypto.so.3 libcrypto.so.1.1] [lib/engines-* lib64/engines-*] OPENSSL_ENGINES report
	// openssl-conf [libcrypto.so.3 libcrypto.so.1.1] [etc/ssl/openssl.cnf ssl/openssl.cnf] OPENSSL_CONF report
}

// What the objects of a process may open, before anything is taken along.
func ExampleSeeker() {
	note := elftest.Note{Section: ".note.dlopen", Name: "FDO", Type: 0x407c0c0a,
		Desc: []byte(`[{"soname":["libzstd.so.1"],"feature":"zstd","description":"compressed logs","priority":"recommended"}]` + "\x00")}
	root := elftest.Tree{
		"/bin/app":                    elftest.Image{Interp: "/lib64/ld-linux-x86-64.so.2", RunPath: "/opt/lib", Notes: []elftest.Note{note}},
		"/lib64/ld-linux-x86-64.so.2": elftest.Image{Soname: "ld-linux-x86-64.so.2"},
		"/opt/lib/libzstd.so.1":       elftest.Image{Soname: "libzstd.so.1"},
	}.FS()
	c, err := closure.Walk(root, []string{"/bin/app"}, closure.Options{})
	if err != nil {
		log.Fatal(err)
	}
	var s closure.Seeker
	wishes, err := s.Wishes(c.LinkMaps[0])
	if err != nil {
		log.Fatal(err)
	}
	for _, w := range wishes {
		fmt.Println(w.Source, w.Name, "for", w.What, "is", w.Path, w.Taken(false))
	}
	// Output:
	// note libzstd.so.1 for compressed logs is /opt/lib/libzstd.so.1 true
}

// A recorded run tells what the program opened that a bundle would not have.
func ExampleLearn() {
	root, err := closure.OpenRoot("../testdata/demo")
	if err != nil {
		log.Fatal(err)
	}
	const plugin = "/nix/store/pv9ifv1v0mhfz7hr3hcblk9z7w4fxppx-tflite-aarch64-unknown-linux-gnu-2.14.0/lib/libtflite.so.2"
	recording, err := closure.ReadRecording(strings.NewReader(`
    100:	calling init: /lib/libstart.so
    100:	initialize program: sensor
    100:	file=` + plugin + ` [0];  dynamically loaded by sensor [0]
    100:	file=` + plugin + ` [0];  generating link map
    100:	calling init: ` + plugin + "\n"))
	if err != nil {
		log.Fatal(err)
	}
	lacks, err := closure.Learn(root, []string{"/sensor-fixed/bin/sensor"}, closure.Options{}, closure.Follow{}, recording)
	if err != nil {
		log.Fatal(err)
	}
	for _, l := range lacks {
		fmt.Println("open", path.Base(l.Name))
	}
	// Output:
	// open libtflite.so.2
}
