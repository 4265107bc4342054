package closure_test

import (
	"io/fs"
	"os"
	"path"
	"testing"

	"github.com/nixbundle/nixbundle/closure"
)

func benchWalk(b *testing.B, programs ...string) {
	root, err := closure.OpenRoot("/")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	objects := 0
	for b.Loop() {
		c, err := closure.Walk(root, programs, closure.Options{})
		if err != nil {
			b.Fatal(err)
		}
		objects = len(c.Objects)
	}
	b.ReportMetric(float64(objects), "objects")
}

// BenchmarkWalk walks the sensor closure.
func BenchmarkWalk(b *testing.B) {
	benchWalk(b, path.Join(storeDir(b, "results"), "sensor-samesoname/bin/sensor"))
}

// BenchmarkWalkLarge walks the largest closures of a Debian system that are there.
func BenchmarkWalkLarge(b *testing.B) {
	for _, program := range []string{"/usr/bin/ffmpeg", "/usr/bin/gdb", "/usr/bin/git"} {
		b.Run(path.Base(program), func(b *testing.B) {
			if _, err := os.Stat(program); err != nil {
				b.Skip(err)
			}
			benchWalk(b, program)
		})
	}
}

// BenchmarkJudge judges the sensor closure that holds two versions of one library.
func BenchmarkJudge(b *testing.B) {
	program := path.Join(storeDir(b, "results"), "sensor-diffsoname/bin/sensor")
	c, err := closure.Walk(os.DirFS("/"), []string{program}, closure.Options{})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		fresh, program := *c, *c.LinkMaps[0] // which has not kept its bindings
		fresh.LinkMaps = []*closure.LinkMap{&program}
		if _, err := closure.Judge(&fresh); err != nil {
			b.Fatal(err)
		}
	}
}

func benchBind(b *testing.B, root fs.FS, program string) {
	c, err := closure.Walk(root, []string{program}, closure.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		fresh := *c.LinkMaps[0] // which has not kept its bindings
		bindings, err := closure.Bind(&fresh)
		if err != nil {
			b.Fatal(err)
		}
		n = bindings.Len()
	}
	b.ReportMetric(float64(n), "bindings")
	b.ReportMetric(float64(len(c.Objects)), "objects")
}

// BenchmarkBind binds the sensor, and a program of Debian with 248 objects.
func BenchmarkBind(b *testing.B) {
	b.Run("sensor", func(b *testing.B) {
		benchBind(b, os.DirFS("/"), path.Join(storeDir(b, "results"), "sensor-samesoname/bin/sensor"))
	})
	b.Run("gmic", func(b *testing.B) {
		root, err := closure.OpenRoot(storeDir(b, "bench-root"))
		if err != nil {
			b.Fatal(err)
		}
		benchBind(b, root, "/usr/bin/gmic")
	})
}
