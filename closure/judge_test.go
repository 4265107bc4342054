package closure_test

import (
	"debug/elf"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// In these cases a word in capitals stands for a store path: APP for /nix/store/DIGEST-APP.
var (
	storeGlibc = elftest.StorePath("glibc-2.40")
	storeOther = elftest.StorePath("glibc-2.38")
	storeApp   = elftest.StorePath("app-1.0")
	storeA     = elftest.StorePath("liba-1")
	storeB     = elftest.StorePath("libb-1")
	pb1        = elftest.StorePath("protobuf-3.21.9")
	pb2        = elftest.StorePath("protobuf-3.21.12")
	storeMusl  = elftest.StorePath("musl-1.2.5")
)

const ldso = "ld-linux-x86-64.so.2"

// glibc is a C library at a store path.
func glibc(at string) elftest.Tree {
	return elftest.Tree{
		at + "/lib/" + ldso:    lib(ldso),
		at + "/lib/libc.so.6":  runPath(lib("libc.so.6", ldso), at+"/lib"),
		at + "/lib/libm.so.6":  runPath(lib("libm.so.6", "libc.so.6"), at+"/lib"),
		at + "/lib/libdl.so.2": runPath(lib("libdl.so.2", "libc.so.6"), at+"/lib"),
	}
}

// app is APP/bin/app with the loader of a glibc.
func app(libc string, list string, needed ...string) elftest.Image {
	return elftest.Image{Interp: libc + "/lib/" + ldso, Needed: needed, RunPath: list}
}

// exporting gives a library symbols.
func exporting(im elftest.Image, symbols ...elftest.Symbol) elftest.Image {
	im.Symbols = symbols
	return im
}

func named(names ...string) []elftest.Symbol {
	var symbols []elftest.Symbol
	for _, n := range names {
		symbols = append(symbols, elftest.Symbol{Name: n})
	}
	return symbols
}

type judgement struct {
	name  string
	files elftest.Tree
	want  []string // "severity kind name: first copy, others"
}

var judged = []judgement{
	{
		name: "clean",
		files: elftest.Tree{
			storeApp + "/bin/app":     app(storeGlibc, storeA+"/lib:"+storeGlibc+"/lib", "liba.so.1", "libc.so.6"),
			storeA + "/lib/liba.so.1": runPath(lib("liba.so.1", "libc.so.6"), storeGlibc+"/lib"),
		},
	},
	{
		name: "missing",
		files: elftest.Tree{
			storeApp + "/bin/app":     app(storeGlibc, storeA+"/lib", "liba.so.1", "libnone.so"),
			storeA + "/lib/liba.so.1": lib("liba.so.1", "libnone.so"),
		},
		want: []string{"error missing libnone.so: libnone.so"},
	},
	{
		name: "same_soname",
		files: elftest.Tree{
			storeApp + "/bin/app":            app(storeGlibc, storeA+"/lib:"+storeB+"/lib", "liba.so.1", "libb.so.1"),
			storeA + "/lib/liba.so.1":        runPath(lib("liba.so.1", "libprotobuf.so.32"), pb1+"/lib"),
			storeB + "/lib/libb.so.1":        runPath(lib("libb.so.1", "libprotobuf.so.32"), pb2+"/lib"),
			pb1 + "/lib/libprotobuf.so.32":   lib("libprotobuf.so.32"),
			pb2 + "/lib/libprotobuf.so.32":   elftest.Link("libprotobuf.so.32.1"),
			pb2 + "/lib/libprotobuf.so.32.1": lib("libprotobuf.so.32", ""),
		},
		want: []string{"error same-soname libprotobuf.so.32: PB1/lib/libprotobuf.so.32, PB2/lib/libprotobuf.so.32"},
	},
	{
		name: "same_soname_same_bytes",
		files: elftest.Tree{
			storeApp + "/bin/app":          app(storeGlibc, storeA+"/lib:"+pb1+"/lib", "liba.so.1", "libprotobuf.so.32"),
			storeA + "/lib/liba.so.1":      runPath(lib("liba.so.1", "libprotobuf.so.32"), pb2+"/lib"),
			pb1 + "/lib/libprotobuf.so.32": lib("libprotobuf.so.32"),
			pb2 + "/lib/libprotobuf.so.32": lib("libprotobuf.so.32"),
		},
		want: []string{"warning same-soname libprotobuf.so.32: PB1/lib/libprotobuf.so.32, PB2/lib/libprotobuf.so.32"},
	},
	{
		name: "default_directory_is_no_wish",
		files: elftest.Tree{
			storeApp + "/bin/app":                 app(storeGlibc, storeA+"/lib:"+pb1+"/lib", "libprotobuf.so.32", "liba.so.1"),
			storeA + "/lib/liba.so.1":             lib("liba.so.1", "libprotobuf.so.32"),
			pb1 + "/lib/libprotobuf.so.32":        lib("libprotobuf.so.32"),
			storeGlibc + "/lib/libprotobuf.so.32": lib("libprotobuf.so.32", ""),
		},
	},
	{
		name: "two_versions",
		files: elftest.Tree{
			storeApp + "/bin/app":          app(storeGlibc, storeA+"/lib:"+pb1+"/lib:"+pb2+"/lib", "libprotobuf.so.23", "liba.so"),
			storeA + "/lib/liba.so":        refers(runPath(lib("liba.so", "libprotobuf.so.32"), pb2+"/lib"), named("parse")...),
			pb1 + "/lib/libprotobuf.so.23": exporting(lib("libprotobuf.so.23"), named("parse", "print", "_init")...),
			pb2 + "/lib/libprotobuf.so.32": exporting(lib("libprotobuf.so.32"), named("parse", "other", "_init")...),
		},
		want: []string{"error two-versions libprotobuf: PB1/lib/libprotobuf.so.23, PB2/lib/libprotobuf.so.32"},
	},
	{
		name: "two_versions_and_no_reference",
		files: elftest.Tree{
			storeApp + "/bin/app":          app(storeGlibc, pb1+"/lib:"+pb2+"/lib", "libprotobuf.so.23", "libprotobuf.so.32"),
			pb1 + "/lib/libprotobuf.so.23": exporting(lib("libprotobuf.so.23"), named("parse", "print", "_init")...),
			pb2 + "/lib/libprotobuf.so.32": exporting(lib("libprotobuf.so.32"), named("parse", "other", "_init")...),
		},
		want: []string{"warning two-versions libprotobuf: PB1/lib/libprotobuf.so.23, PB2/lib/libprotobuf.so.32"},
	},
	{
		name: "interposed",
		files: elftest.Tree{
			storeApp + "/bin/app":          app(storeGlibc, storeB+"/lib:"+storeA+"/lib", "libtflite.so", "liba.so"),
			storeA + "/lib/liba.so":        refers(runPath(lib("liba.so", "libprotobuf.so.32"), pb2+"/lib"), named("parse")...),
			storeB + "/lib/libtflite.so":   exporting(lib("libtflite.so"), named("parse", "invoke")...),
			pb2 + "/lib/libprotobuf.so.32": exporting(lib("libprotobuf.so.32"), named("parse", "other", "_init")...),
		},
		want: []string{"error interposed libprotobuf.so.32: B/lib/libtflite.so, PB2/lib/libprotobuf.so.32"},
	},
	{
		name: "interposed_weak_templates_only",
		files: elftest.Tree{
			storeApp + "/bin/app":   app(storeGlibc, storeB+"/lib:"+storeA+"/lib", "libtflite.so", "liba.so"),
			storeA + "/lib/liba.so": refers(runPath(lib("liba.so", "libprotobuf.so.32"), pb2+"/lib"), named("_ZN1aIiE1bEv")...),
			storeB + "/lib/libtflite.so": exporting(lib("libtflite.so"),
				elftest.Symbol{Name: "_ZN1aIiE1bEv", Bind: elf.STB_WEAK}),
			pb2 + "/lib/libprotobuf.so.32": exporting(lib("libprotobuf.so.32"),
				elftest.Symbol{Name: "_ZN1aIiE1bEv", Bind: elf.STB_WEAK}),
		},
	},
	{
		name: "interposed_data_of_inline_functions", // as Qt for arm64 has them, neither weak nor unique
		files: elftest.Tree{
			storeApp + "/bin/app":        app(storeGlibc, storeB+"/lib:"+storeA+"/lib", "libtflite.so", "liba.so"),
			storeA + "/lib/liba.so":      exporting(lib("liba.so"), elftest.Symbol{Name: "_ZZN1a1bEvE1c", Relocs: []uint32{rJumpSlot}}),
			storeB + "/lib/libtflite.so": exporting(lib("libtflite.so"), named("_ZZN1a1bEvE1c")...),
		},
	},
	{
		name: "interposed_by_the_program",
		files: elftest.Tree{
			storeApp + "/bin/app":   exporting(app(storeGlibc, storeA+"/lib", "liba.so"), named("log")...),
			storeA + "/lib/liba.so": exporting(lib("liba.so"), elftest.Symbol{Name: "log", Relocs: []uint32{rJumpSlot}}),
		},
		want: []string{"warning interposed liba.so: APP/bin/app, A/lib/liba.so"},
	},
	{
		name: "replaced_error_handler", // of BLAS, by a library that stands before it
		files: elftest.Tree{
			storeApp + "/bin/app":          app(storeGlibc, storeB+"/lib:"+storeA+"/lib:"+pb2+"/lib", "liboctave.so", "libqrupdate.so"),
			storeA + "/lib/libqrupdate.so": refers(runPath(lib("libqrupdate.so", "libblas.so.3"), pb2+"/lib"), named("xerbla_")...),
			storeB + "/lib/liboctave.so":   exporting(lib("liboctave.so"), named("xerbla_", "octave")...),
			pb2 + "/lib/libblas.so.3":      exporting(lib("libblas.so.3"), named("xerbla_", "dgemm_")...),
		},
	},
	{
		name: "replaced_allocator",
		files: elftest.Tree{
			storeApp + "/bin/app":   exporting(app(storeGlibc, storeA+"/lib", "liba.so"), named("malloc")...),
			storeA + "/lib/liba.so": exporting(lib("liba.so"), elftest.Symbol{Name: "malloc", Relocs: []uint32{rJumpSlot}}),
		},
	},
	{
		name: "missing_symbols",
		files: elftest.Tree{
			storeApp + "/bin/app": app(storeGlibc, storeA+"/lib:"+storeB+"/lib", "liba.so", "libb.so"),
			storeA + "/lib/liba.so": refers(lib("liba.so"), elftest.Symbol{Name: "lazy", Relocs: []uint32{rJumpSlot}},
				elftest.Symbol{Name: "weak", Bind: elf.STB_WEAK}),
			storeB + "/lib/libb.so": refers(lib("libb.so"), named("nowhere")...),
		},
		want: []string{
			"error missing-symbol libb.so: B/lib/libb.so",
			"warning missing-symbol liba.so: A/lib/liba.so",
		},
	},
	{
		name: "missing_version",
		files: elftest.Tree{
			storeApp + "/bin/app": app(storeGlibc, storeA+"/lib:"+storeB+"/lib", "liba.so", "libb.so"),
			storeA + "/lib/liba.so": refers(runPath(lib("liba.so", "libb.so"), storeB+"/lib"),
				elftest.Symbol{Name: "f", Version: "B_2", VersionFile: "libb.so"}),
			storeB + "/lib/libb.so": exporting(lib("libb.so"), elftest.Symbol{Name: "f", Version: "B_1"}),
		},
		want: []string{"error missing-version libb.so: B/lib/libb.so"},
	},
	{
		name: "copy_of_another_size",
		files: elftest.Tree{
			storeApp + "/bin/app": exporting(app(storeGlibc, storeA+"/lib", "liba.so"),
				elftest.Symbol{Name: "table", Type: elf.STT_OBJECT, Size: 8, Relocs: []uint32{rCopy}}),
			storeA + "/lib/liba.so": exporting(lib("liba.so"), elftest.Symbol{Name: "table", Type: elf.STT_OBJECT, Size: 16}),
		},
		want: []string{"warning copy-size table: A/lib/liba.so"},
	},
	{
		name: "early_ifunc",
		files: elftest.Tree{
			storeApp + "/bin/app":   app(storeGlibc, storeA+"/lib:"+storeB+"/lib", "libb.so", "liba.so"),
			storeA + "/lib/liba.so": refers(lib("liba.so"), named("fast")...),
			storeB + "/lib/libb.so": exporting(lib("libb.so"), elftest.Symbol{Name: "fast", Type: elf.STT_GNU_IFUNC}),
		},
		want: []string{"warning early-ifunc liba.so: A/lib/liba.so", "note underlinked liba.so: A/lib/liba.so"},
	},
	{
		name: "two_versions_all_versioned",
		files: elftest.Tree{
			storeApp + "/bin/app":         app(storeGlibc, storeA+"/lib:"+storeB+"/lib", "libssl.so.1.1", "libssl.so.3"),
			storeA + "/lib/libssl.so.1.1": exporting(lib("libssl.so.1.1"), elftest.Symbol{Name: "SSL_new", Version: "OPENSSL_1_1_0"}),
			storeB + "/lib/libssl.so.3":   exporting(lib("libssl.so.3"), elftest.Symbol{Name: "SSL_new", Version: "OPENSSL_3.0.0"}),
		},
		want: []string{"note two-versions libssl: A/lib/libssl.so.1.1, B/lib/libssl.so.3"},
	},
	{
		name: "two_versions_with_versions_in_common",
		files: elftest.Tree{
			storeApp + "/bin/app":         app(storeGlibc, storeA+"/lib:"+storeB+"/lib", "libssl.so.1.1", "libssl.so.3"),
			storeA + "/lib/libssl.so.1.1": exporting(lib("libssl.so.1.1"), elftest.Symbol{Name: "SSL_new", Version: "OPENSSL"}),
			storeB + "/lib/libssl.so.3":   exporting(lib("libssl.so.3"), elftest.Symbol{Name: "SSL_new", Version: "OPENSSL"}),
		},
		want: []string{"note two-versions libssl: A/lib/libssl.so.1.1, B/lib/libssl.so.3"},
	},
	{
		name: "two_versions_in_the_name",
		files: elftest.Tree{
			storeApp + "/bin/app":         app(storeGlibc, storeA+"/lib:"+storeB+"/lib", "libfoo-1.2.so", "libfoo-1.3.so"),
			storeA + "/lib/libfoo-1.2.so": exporting(lib("libfoo-1.2.so"), elftest.Symbol{Name: "x", Bind: elf.STB_WEAK}),
			storeB + "/lib/libfoo-1.3.so": exporting(lib("libfoo-1.3.so"), elftest.Symbol{Name: "x", Bind: elf.STB_WEAK}),
		},
		want: []string{"note two-versions libfoo: A/lib/libfoo-1.2.so, B/lib/libfoo-1.3.so"},
	},
	{
		name: "loaded_twice",
		files: elftest.Tree{
			storeApp + "/bin/app":  app(storeGlibc, pb1+"/lib", "libx.so.1", pb2+"/lib/libx.so.1"),
			pb1 + "/lib/libx.so.1": lib("libx.so.1"),
			pb2 + "/lib/libx.so.1": lib("libx.so.1", ""),
		},
		want: []string{"error loaded-twice libx.so.1: PB1/lib/libx.so.1, PB2/lib/libx.so.1"},
	},
	{
		name: "two_glibcs",
		files: elftest.Tree{
			storeApp + "/bin/app": app(storeGlibc, storeOther+"/lib", "libm.so.6", "libc.so.6"),
		},
		// The loader is of one, the library of the other.
		want: []string{
			"error two-libcs glibc: OTHER/lib/libm.so.6, OTHER/lib/libc.so.6, GLIBC/lib/ld-linux-x86-64.so.2",
			"warning same-soname ld-linux-x86-64.so.2: GLIBC/lib/ld-linux-x86-64.so.2, OTHER/lib/ld-linux-x86-64.so.2",
		},
	},
	{
		name: "second_loader",
		files: elftest.Tree{
			storeApp + "/bin/app":             app(storeGlibc, storeA+"/lib", "liba.so"),
			storeA + "/lib/liba.so":           lib("", storeGlibc+"/lib/other-name.so"),
			storeGlibc + "/lib/other-name.so": elftest.Link(ldso),
		},
		want: []string{"error two-libcs ld-linux-x86-64.so.2: GLIBC/lib/ld-linux-x86-64.so.2, GLIBC/lib/other-name.so"},
	},
	{
		name: "musl_in_glibc",
		files: elftest.Tree{
			storeApp + "/bin/app":      app(storeGlibc, storeMusl+"/lib", "libc.so"),
			storeMusl + "/lib/libc.so": lib("libc.so"),
		},
		want: []string{"error two-libcs libc.so: MUSL/lib/libc.so"},
	},
	{
		name: "glibc_in_musl",
		files: elftest.Tree{
			storeMusl + "/lib/ld-musl-x86_64.so.1": lib("libc.so"),
			storeApp + "/bin/app": elftest.Image{Interp: storeMusl + "/lib/ld-musl-x86_64.so.1",
				RunPath: storeA + "/lib", Needed: []string{"libc.so", "liba.so"}},
			storeA + "/lib/liba.so": lib("liba.so", "libc.so.6"),
		},
		want: []string{"error two-libcs libc.so.6: libc.so.6"},
	},
	{
		name: "other_machine_passed_over",
		files: elftest.Tree{
			storeApp + "/bin/app":   app(storeGlibc, storeA+"/lib:"+storeB+"/lib", "liba.so"),
			storeA + "/lib/liba.so": elftest.Image{Machine: elf.EM_AARCH64, Soname: "liba.so"},
			storeB + "/lib/liba.so": lib("liba.so"),
		},
		want: []string{"note wrong-machine liba.so: B/lib/liba.so, A/lib/liba.so"},
	},
	{
		name: "other_machine_mapped_by_musl",
		files: elftest.Tree{
			storeMusl + "/lib/ld-musl-x86_64.so.1": lib("libc.so"),
			storeApp + "/bin/app": elftest.Image{Interp: storeMusl + "/lib/ld-musl-x86_64.so.1",
				RunPath: storeA + "/lib", Needed: []string{"liba.so"}},
			storeA + "/lib/liba.so": elftest.Image{Machine: elf.EM_AARCH64, Soname: "liba.so"},
		},
		want: []string{"error wrong-machine liba.so: A/lib/liba.so"},
	},
	{
		name: "outside_the_store",
		files: elftest.Tree{
			storeApp + "/bin/app": app(storeGlibc, "/opt/lib", "liba.so"),
			"/opt/lib/liba.so":    lib("liba.so"),
		},
		want: []string{"warning outside-store /opt/lib/liba.so: /opt/lib/liba.so"},
	},
	{
		name: "version_file",
		files: elftest.Tree{
			storeApp + "/bin/app": elftest.Image{Interp: storeGlibc + "/lib/" + ldso, Needed: []string{storeA + "/lib/liba.so.1"},
				VersionNeeds: []elftest.VersionNeed{{File: "liba.so.1", Version: "A_1"}}},
			storeA + "/lib/liba.so.1": elftest.Image{Soname: "liba.so.1", Versions: []string{"A_1"}},
		},
		want: []string{"error version-file liba.so.1: APP/bin/app"},
	},
	{
		name: "version_file_asked_for_later",
		files: elftest.Tree{
			storeApp + "/bin/app": elftest.Image{Interp: storeGlibc + "/lib/" + ldso, Needed: []string{storeA + "/lib/liba.so.1", "liba.so.1"},
				VersionNeeds: []elftest.VersionNeed{{File: "liba.so.1", Version: "A_1"}}},
			storeA + "/lib/liba.so.1": elftest.Image{Soname: "liba.so.1", Versions: []string{"A_1"}},
		},
	},
}

func TestJudge(t *testing.T) {
	short := strings.NewReplacer(storeApp, "APP", storeGlibc, "GLIBC", storeOther, "OTHER", storeA, "A", storeB, "B",
		pb1, "PB1", pb2, "PB2", storeMusl, "MUSL")
	for _, test := range append(judged, judgedAlone...) {
		t.Run(test.name, func(t *testing.T) {
			files := glibc(storeGlibc)
			maps.Copy(files, glibc(storeOther))
			maps.Copy(files, test.files)
			findings, err := closure.Judge(walk(t, files, storeApp+"/bin/app"))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range findings {
				if f.Kind == closure.KindUnused && test.name != "unused_need" {
					continue // most of these files refer to nothing
				}
				var copies []string
				for i, c := range f.Copies {
					copies = append(copies, short.Replace(c.Path))
					wanted := f.State(&c) == "wanted"
					if f.Severity < closure.Note && i == 0 && wanted || f.Kind == closure.KindSoname && wanted != (i > 0) {
						t.Errorf("%s of %s is %s", c.Path, f.Kind, f.State(&c))
					}
				}
				got = append(got, fmt.Sprintf("%v %v %s: %s", f.Severity, f.Kind, f.Name, strings.Join(copies, ", ")))
				if f.Program != storeApp+"/bin/app" || f.What == "" || f.Advice == "" && f.Severity == closure.Error {
					t.Errorf("not complete: %+v", f)
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}
