package bundle_test

import (
	"errors"
	"fmt"
	"log"
	"strings"

	"github.com/nixbundle/nixbundle/bundle"
	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// A plan says everything before a byte is written: what starts how, and what is changed in which file.
func ExampleNewPlan() {
	root, err := closure.OpenRoot("../testdata/demo")
	if err != nil {
		log.Fatal(err)
	}
	c, err := closure.Walk(root, []string{"/sensor-fixed/bin/sensor"}, closure.Options{})
	if err != nil {
		log.Fatal(err)
	}
	plan, err := bundle.NewPlan(c, bundle.Options{})
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range plan.Programs {
		fmt.Println(p.Entry, "starts by", p.Strategy)
	}
	for i := range plan.Entries {
		e := &plan.Entries[i]
		for _, change := range e.Changes() {
			if change.To != "" {
				fmt.Println(e.Path, change.What, change.To)
			}
		}
	}
	// Output:
	// sensor/bin/sensor starts by stub
	// sensor/bin/sensor loader ../lib/ld-linux-aarch64.so.1
	// sensor/bin/sensor rpath $ORIGIN/../lib
	// sensor/lib/libprotobuf-c.so.1.0.0 rpath $ORIGIN
	// sensor/lib/libtflite.so.2 rpath $ORIGIN
	// sensor/lib/libvision.so.4 rpath $ORIGIN
}

// What the loader would mix up is refused, with the findings; an acceptance or an option lets it pass.
func ExampleConflictError() {
	root, err := closure.OpenRoot("../testdata/demo")
	if err != nil {
		log.Fatal(err)
	}
	c, err := closure.Walk(root, []string{"/sensor-conflict/bin/sensor"}, closure.Options{})
	if err != nil {
		log.Fatal(err)
	}
	_, err = bundle.NewPlan(c, bundle.Options{})
	var conflict *bundle.ConflictError
	if errors.As(err, &conflict) {
		for _, f := range conflict.Findings {
			fmt.Println(f.Kind, f.Name)
		}
	}
	plan, err := bundle.NewPlan(c, bundle.Options{AllowConflicts: true})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(plan.Accepted), "allowed")
	// Output:
	// same-soname libprotobuf-c.so.1
	// 1 allowed
}

// Prove finds what a plan would change in a process: here somebody has renamed a library in it.
func ExamplePlan_Prove() {
	root, err := closure.OpenRoot("../testdata/demo")
	if err != nil {
		log.Fatal(err)
	}
	c, err := closure.Walk(root, []string{"/sensor-fixed/bin/sensor"}, closure.Options{})
	if err != nil {
		log.Fatal(err)
	}
	plan, err := bundle.NewPlan(c, bundle.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(plan.Prove())
	for i := range plan.Entries {
		if e := &plan.Entries[i]; strings.HasSuffix(e.Path, "/libvision.so.4") {
			e.Path += ".renamed"
		}
	}
	var proof *bundle.ProofError
	if errors.As(plan.Prove(), &proof) {
		fmt.Println(proof.For, "leads to", proof.Got)
	}
	// Output:
	// <nil>
	// place 2 of the load order leads to sensor/lib/libc.so.6
}

// A target knows which versions its own libraries have.
func ExampleParseTarget() {
	target, err := bundle.ParseTarget("raspios-bookworm")
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range target.Ports {
		fmt.Println(p.Arch, p.LibcText(), p.ISA, p.PageSizes, p.Defines("libc.so.6", "GLIBC_2.38"))
	}
	_, err = bundle.ParseTarget("raspbian")
	var option *bundle.OptionError
	fmt.Println(errors.As(err, &option))
	// Output:
	// arm64 glibc 2.36 armv8-a [4096 16384] false
	// armhf glibc 2.36 armv6+vfp2 [4096] false
	// true
}

// Where the target's C library is asked for and is too old, the error has each demand, and the targets that would do.
func ExampleTargetError() {
	root := elftest.Tree{
		"/bin/app": elftest.Image{
			Interp: "/lib64/ld-linux-x86-64.so.2", Needed: []string{"libc.so.6"}, RunPath: "/lib",
			Symbols: []elftest.Symbol{{Name: "__isoc23_strtol", Undefined: true, Version: "GLIBC_2.38"}},
		},
		"/lib64/ld-linux-x86-64.so.2": elftest.Image{Soname: "ld-linux-x86-64.so.2"},
		"/lib/libc.so.6": elftest.Image{Soname: "libc.so.6",
			Symbols: []elftest.Symbol{{Name: "__isoc23_strtol", Version: "GLIBC_2.38"}}},
	}.FS()
	c, err := closure.Walk(root, []string{"/bin/app"}, closure.Options{})
	if err != nil {
		log.Fatal(err)
	}
	target, err := bundle.ParseTarget("debian-12")
	if err != nil {
		log.Fatal(err)
	}
	_, err = bundle.NewPlan(c, bundle.Options{Target: target, Interp: string(bundle.StrategySystem)})
	var old *bundle.TargetError
	if errors.As(err, &old) {
		fmt.Println(old.Port, "has", old.Port.LibcText())
		fmt.Println(old.Unmet[0].String())
		fmt.Println("from", old.Fits[0], "on")
	}
	// Output:
	// debian-12 has glibc 2.36
	// app needs GLIBC_2.38 of libc.so.6
	// from ubuntu-24.04 (glibc 2.39) on
}
