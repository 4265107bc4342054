package bundle_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/nixbundle/nixbundle/bundle"
	"github.com/nixbundle/nixbundle/closure"
)

// The main job as a library: gather, judge, plan, prove, create. NewPlan judges too, and refuses what the loader
// would mix up.
func Example() {
	root, err := closure.OpenRoot("../testdata/demo")
	if err != nil {
		log.Fatal(err)
	}
	programs, err := closure.Programs(root, "/sensor-fixed/bin/sensor", closure.Options{})
	if err != nil {
		log.Fatal(err)
	}
	c, err := closure.Gather(root, programs, closure.Options{}, closure.Follow{})
	if err != nil {
		log.Fatal(err)
	}
	plan, err := bundle.NewPlan(c, bundle.Options{Interp: string(bundle.StrategySystem)})
	if err != nil {
		log.Fatal(err)
	}
	if err := plan.Prove(); err != nil {
		log.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "nixbundle-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	summary, err := bundle.Create(context.Background(), filepath.Join(dir, "sensor.tar.zst"), plan, bundle.PackOptions{})
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range summary.Manifest.Entries {
		if e.Type == bundle.TypeFile {
			fmt.Println(e.Path)
		}
	}
	// Output:
	// sensor/bin/sensor
	// sensor/lib/libprotobuf-c.so.1.0.0
	// sensor/lib/libtflite.so.2
	// sensor/lib/libvision.so.4
}
