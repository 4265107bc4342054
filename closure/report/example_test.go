package report_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/closure/report"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// A program whose libraries want two copies of one: the flow chart shows which the loader keeps, and whose
// references reach it.
func Example() {
	old, young := elftest.StorePath("protobuf-3.21.9"), elftest.StorePath("protobuf-3.21.12")
	root := elftest.Tree{
		"/bin/sensor": elftest.Image{
			Interp: "/lib64/ld-linux-x86-64.so.2", Needed: []string{"libmodel.so", "libvision.so"}, RunPath: "/lib",
		},
		"/lib64/ld-linux-x86-64.so.2":    elftest.Image{Soname: "ld-linux-x86-64.so.2"},
		"/lib/libmodel.so":               elftest.Image{Needed: []string{"libprotobuf.so.32"}, RunPath: old + "/lib"},
		"/lib/libvision.so":              elftest.Image{Needed: []string{"libprotobuf.so.32"}, RunPath: young + "/lib"},
		old + "/lib/libprotobuf.so.32":   elftest.Image{Soname: "libprotobuf.so.32"},
		young + "/lib/libprotobuf.so.32": elftest.Image{Soname: "libprotobuf.so.32", BuildID: []byte("another")},
	}.FS()

	c, err := closure.Walk(root, []string{"/bin/sensor"}, closure.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	findings, err := closure.Check(c, closure.Machine{})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := report.New(c, findings).WriteMermaid(os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// flowchart LR
	//   subgraph p0 ["sensor: 5 objects · 7 kB · 1 error · 3 notes"]
	//     direction LR
	//     p0n0["sensor<br/>2 kB"]:::program
	//     p0n1["libmodel.so<br/>2 kB"]
	//     p0n2["libvision.so<br/>2 kB"]
	//     p0n3["libprotobuf.so.32<br/>protobuf-3.21.9<br/>kept<br/>2 kB"]:::error
	//     p0n4["ld-linux-x86-64.so.2<br/>2 kB"]
	//     p0n5["libprotobuf.so.32<br/>protobuf-3.21.12<br/>wanted, not loaded<br/>2 kB"]:::absent
	//     p0n0 --> p0n1
	//     p0n0 --> p0n2
	//     p0n1 --> p0n3
	//     p0n0 --> p0n4
	//     p0n2 -.->|wants| p0n5
	//   end
	//   classDef program fill:#eef3fd,stroke:#2456c7,color:#1d2433
	//   classDef error fill:#fff1f0,stroke:#d92d20,color:#1d2433
	//   classDef warning fill:#fff6ea,stroke:#c4660a,color:#1d2433
	//   classDef absent fill:#ffffff,stroke:#d92d20,color:#1d2433,stroke-dasharray:4 3
	//   style p0 fill:none,stroke:#c5cdda
	//   linkStyle 4 stroke:#d92d20,stroke-width:2px,color:#b42318
}

// The ending of a file's name chooses the format.
func ExampleReport_Write() {
	root := elftest.Tree{
		"/bin/hello":                  elftest.Image{Interp: "/lib64/ld-linux-x86-64.so.2"},
		"/lib64/ld-linux-x86-64.so.2": elftest.Image{Soname: "ld-linux-x86-64.so.2"},
	}.FS()
	c, err := closure.Walk(root, []string{"/bin/hello"}, closure.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, file := range []string{"hello.svg", "hello.html", "hello.gv", "hello.png"} {
		format, err := report.FormatOf(file)
		if err != nil {
			fmt.Println(err)
			continue
		}
		var page bytes.Buffer
		if err := report.New(c, nil).Write(&page, format); err != nil {
			fmt.Println(err)
			return
		}
		first, _, _ := strings.Cut(page.String(), " ")
		fmt.Printf("%s: %s: %s\n", file, format, first)
	}
	// Output:
	// hello.svg: svg: <svg
	// hello.html: html: <!doctype
	// hello.gv: dot: digraph
	// hello.png: its ending is not .svg, .dot, .gv, .mmd or .html
}
