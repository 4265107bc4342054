package elfpatch_test

import (
	"debug/elf"
	"testing"

	"github.com/nixbundle/nixbundle/elfpatch"
)

// BenchmarkRead reads the facts of the largest shared object of the machine; debug/elf beside it
// is asked for the same strings.
func BenchmarkRead(b *testing.B) {
	file, size := openFile(b, largest(b, realFiles(b, 1000)))
	b.Run("elfpatch", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := elfpatch.Read(file, size); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("debug elf", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			f, err := elf.NewFile(file)
			if err != nil {
				b.Fatal(err)
			}
			for _, tag := range []elf.DynTag{elf.DT_NEEDED, elf.DT_SONAME, elf.DT_RPATH, elf.DT_RUNPATH} {
				f.DynString(tag)
			}
			f.DynamicVersions()
			f.DynamicVersionNeeds()
		}
	})
}

func BenchmarkReadSymbols(b *testing.B) {
	file, size := openFile(b, largest(b, realFiles(b, 1000)))
	b.Run("elfpatch", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := elfpatch.ReadSymbols(file, size); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("debug elf", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			f, err := elf.NewFile(file)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := f.DynamicSymbols(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
