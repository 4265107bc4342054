package bundle_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/nixbundle/nixbundle/bundle"
	"github.com/nixbundle/nixbundle/closure"
)

// demoBundle makes a bundle of the demo in a folder and gives its name.
func demoBundle(dir string) (string, error) {
	root, err := closure.OpenRoot("../testdata/demo")
	if err != nil {
		return "", err
	}
	c, err := closure.Walk(root, []string{"/sensor-fixed/bin/sensor"}, closure.Options{})
	if err != nil {
		return "", err
	}
	plan, err := bundle.NewPlan(c, bundle.Options{})
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "sensor.tar.zst")
	_, err = bundle.Create(context.Background(), name, plan, bundle.PackOptions{})
	return name, err
}

// The name says the format: one that ends in a slash is a folder, in which the bundle's own appears.
func ExampleCreate() {
	root, err := closure.OpenRoot("../testdata/demo")
	if err != nil {
		log.Fatal(err)
	}
	c, err := closure.Walk(root, []string{"/sensor-fixed/bin/sensor"}, closure.Options{})
	if err != nil {
		log.Fatal(err)
	}
	plan, err := bundle.NewPlan(c, bundle.Options{Name: "release"})
	if err != nil {
		log.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "nixbundle-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	summary, err := bundle.Create(context.Background(), dir+"/out/", plan, bundle.PackOptions{Tool: "release.sh"})
	if err != nil {
		log.Fatal(err)
	}
	names, err := filepath.Glob(dir + "/out/release/*")
	if err != nil {
		log.Fatal(err)
	}
	for _, name := range names {
		fmt.Println(filepath.Base(name))
	}
	fmt.Println(summary.Entries, "entries by", summary.Manifest.Tool)
	// Output:
	// bin
	// lib
	// share
	// 13 entries by release.sh
}

// Pack writes to any writer, and the same plan gives the same bytes.
func ExamplePack() {
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
	var sums [2][]byte
	for i, workers := range []int{1, 4} {
		h := sha256.New()
		if _, err := bundle.Pack(context.Background(), h, plan, bundle.PackOptions{Workers: workers}); err != nil {
			log.Fatal(err)
		}
		sums[i] = h.Sum(nil)
	}
	fmt.Println(bytes.Equal(sums[0], sums[1]))
	// Output: true
}

// Open reads what a bundle says of itself, without unpacking it.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "nixbundle-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	name, err := demoBundle(dir) // as in the example of the package
	if err != nil {
		log.Fatal(err)
	}
	a, err := bundle.Open(name)
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	for _, p := range a.Manifest.Programs {
		fmt.Println(a.Format, p.Entry, p.Strategy)
	}
	for _, e := range a.Manifest.Entries {
		if sp, _, ok := closure.ParseStorePath("/nix/store", e.StorePath); ok {
			fmt.Println(filepath.Base(e.Path), "of", sp.Package(), sp.Version(), len(e.Edits), "changes")
		}
	}
	// Output:
	// tar.zst sensor/bin/sensor stub
	// sensor of sensor-fixed 0.4.2 4 changes
	// ld-linux-aarch64.so.1 of glibc 2.36 0 changes
	// libc.so.6 of glibc 2.36 0 changes
	// libprotobuf-c.so.1.0.0 of protobuf-c 1.4.1 2 changes
	// libtflite.so.2 of tflite 2.14.0 2 changes
	// libvision.so.4 of vision 4.6.0 2 changes
}

// What stands in the archive, in its order, whatever the manifest says.
func ExampleArchive_Entries() {
	dir, err := os.MkdirTemp("", "nixbundle-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	name, err := demoBundle(dir) // as in the example of the package
	if err != nil {
		log.Fatal(err)
	}
	a, err := bundle.Open(name)
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	for m, err := range a.Entries() {
		if err != nil {
			log.Fatal(err)
		}
		if m.Type == bundle.TypeLink {
			fmt.Println(m.Path, "->", m.Link)
		}
	}
	// Output:
	// sensor/lib/libprotobuf-c.so.1 -> libprotobuf-c.so.1.0.0
}

// Verify trusts nothing in a bundle: one byte that is not as the manifest says is found, and where.
func ExampleVerify() {
	dir, err := os.MkdirTemp("", "nixbundle-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	name, err := demoBundle(dir) // as in the example of the package
	if err != nil {
		log.Fatal(err)
	}
	a, err := bundle.Open(name)
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	if err := a.Unpack(context.Background(), filepath.Join(dir, "unpacked")); err != nil {
		log.Fatal(err)
	}
	folder := filepath.Join(dir, "unpacked/sensor")
	v, err := bundle.Verify(context.Background(), folder, bundle.VerifyOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(v.Broken(), v.Programs, v.Objects, v.Needs, v.References)

	if err := os.WriteFile(filepath.Join(folder, "lib/libvision.so.4"), []byte("something else"), 0o755); err != nil {
		log.Fatal(err)
	}
	v, err = bundle.Verify(context.Background(), folder, bundle.VerifyOptions{})
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range v.Findings[:1] {
		fmt.Println(v.Broken(), f.Severity, f.Kind, f.Name)
	}
	// Output:
	// false 1 6 10 161
	// true error entry-changed sensor/lib/libvision.so.4
}
