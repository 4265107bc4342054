package closure_test

import (
	"debug/elf"

	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// with makes a library of a name and something more, which app loads; the other files are there too.
func with(more elftest.Image, others elftest.Tree) elftest.Tree {
	more.Soname = "liba.so"
	files := elftest.Tree{
		storeApp + "/bin/app":   app(storeGlibc, storeA+"/lib:"+storeB+"/lib", "liba.so"),
		storeA + "/lib/liba.so": more,
	}
	for name, file := range others {
		files[name] = file
	}
	return files
}

func glibcText(name, version string) []byte {
	return []byte("\x00" + name + " (Debian GLIBC " + version + ") stable release version 2.36.\n\x00")
}

// system is a program with the C library of the machine, whose parts say these versions.
func system(loader, libc string) elftest.Tree {
	ld, c := lib(ldso), lib("libc.so.6")
	ld.Trailer, c.Trailer = glibcText("ld.so", loader), glibcText("GNU C Library", libc)
	return elftest.Tree{
		"/lib64/" + ldso: ld, "/lib64/libc.so.6": c,
		storeApp + "/bin/app": elftest.Image{Interp: "/lib64/" + ldso, Needed: []string{"libc.so.6"}},
	}
}

var outside = []string{
	"warning outside-store /lib64/" + ldso + ": /lib64/" + ldso, "warning outside-store /lib64/libc.so.6: /lib64/libc.so.6",
}

const (
	flagSymbolic = elf.DF_SYMBOLIC
	uniqueBind   = elf.SymBind(10)
)

// judgedAlone are findings about one file, or a pair, more than about who brought it.
var judgedAlone = []judgement{
	{
		name: "two_libstdcxx",
		files: with(runPath(exporting(lib("", "libstdc++.so.6"), named("_ZSt4cout")...), storeB+"/lib"), elftest.Tree{
			storeB + "/lib/libstdc++.so.6": exporting(lib("libstdc++.so.6"), named("_ZSt4cout")...)}),
		want: []string{"error two-runtimes libstdc++: A/lib/liba.so, B/lib/libstdc++.so.6"},
	},
	{
		name: "runtime_that_is_copied_from",
		files: elftest.Tree{
			storeApp + "/bin/app": exporting(app(storeGlibc, storeB+"/lib", "libstdc++.so.6"),
				elftest.Symbol{Name: "_ZSt4cout", Type: elf.STT_OBJECT, Size: 8, Relocs: []uint32{rCopy}}),
			storeB + "/lib/libstdc++.so.6": exporting(lib("libstdc++.so.6"), elftest.Symbol{Name: "_ZSt4cout", Type: elf.STT_OBJECT, Size: 8}),
		},
	},
	{
		name: "two_openmp",
		files: with(runPath(exporting(lib("", "libgomp.so.1"), named("omp_get_num_threads")...), storeB+"/lib"), elftest.Tree{
			storeB + "/lib/libgomp.so.1": exporting(lib("libgomp.so.1"), named("omp_get_num_threads")...)}),
		want: []string{"warning two-runtimes OpenMP: A/lib/liba.so, B/lib/libgomp.so.1"},
	},
	{
		name: "unwinder_of_an_old_glibc",
		files: with(runPath(exporting(lib("", "libc.so.6"), named("_Unwind_Find_FDE")...), storeGlibc+"/lib"), elftest.Tree{
			storeApp + "/bin/app":         app(storeGlibc, storeA+"/lib:"+storeGlibc+"/lib", "liba.so", "libc.so.6"),
			storeGlibc + "/lib/libc.so.6": exporting(lib("libc.so.6"), named("_Unwind_Find_FDE", "__libc_start_main")...)}),
	},
	{
		name: "two_c_libraries",
		files: with(exporting(lib(""), named("__libc_start_main")...), elftest.Tree{
			storeApp + "/bin/app":         app(storeGlibc, storeA+"/lib:"+storeGlibc+"/lib", "liba.so", "libc.so.6"),
			storeGlibc + "/lib/libc.so.6": exporting(lib("libc.so.6"), named("__libc_start_main")...)}),
		want: []string{"error two-runtimes C library: A/lib/liba.so, GLIBC/lib/libc.so.6"},
	},
	{
		name: "runtime_that_is_used",
		files: with(refers(runPath(lib("", "libgomp.so.1"), storeB+"/lib"), named("omp_get_num_threads")...), elftest.Tree{
			storeB + "/lib/libgomp.so.1": exporting(lib("libgomp.so.1"), named("omp_get_num_threads")...)}),
	},
	{
		name:  "executable_stack",
		files: with(elftest.Image{ExecStack: true}, nil),
		want:  []string{"warning executable-stack liba.so: A/lib/liba.so"},
	},
	{
		name:  "executable_stack_by_default",
		files: with(elftest.Image{NoStack: true}, nil),
		want:  []string{"warning executable-stack liba.so: A/lib/liba.so"},
	},
	{
		name:  "text_relocations",
		files: with(elftest.Image{DynFlags: elf.DF_TEXTREL}, nil),
		want:  []string{"warning text-relocations liba.so: A/lib/liba.so"},
	},
	{
		name:  "current_directory",
		files: with(elftest.Image{RunPath: "/opt::/usr/lib"}, nil),
		want:  []string{"warning search-list liba.so: A/lib/liba.so"},
	},
	{
		name:  "relative_rpath",
		files: with(elftest.Image{RPath: "../lib:$ORIGIN"}, nil),
		want:  []string{"warning search-list liba.so: A/lib/liba.so"},
	},
	{
		name:  "run_path_from_the_origin",
		files: with(elftest.Image{RunPath: "$ORIGIN/../lib:${ORIGIN}", HasRPath: true, RPath: "ignored"}, nil),
	},
	{
		name:  "no_default_directories",
		files: with(elftest.Image{DynFlags1: elf.DF_1_NODEFLIB}, nil),
		want:  []string{"note unusual liba.so: A/lib/liba.so"},
	},
	{
		name: "symbolic_and_unique",
		files: with(elftest.Image{DynFlags: flagSymbolic,
			Symbols: []elftest.Symbol{{Name: "_ZN1a1bE", Bind: uniqueBind, Type: elf.STT_OBJECT}}}, nil),
		want: []string{"note unusual liba.so: A/lib/liba.so"},
	},
	{
		name:  "symbolic_alone",
		files: with(exporting(elftest.Image{DynFlags: flagSymbolic}, named("f")...), nil),
	},
	{
		name: "underlinked",
		files: elftest.Tree{
			storeApp + "/bin/app":   app(storeGlibc, storeA+"/lib:"+storeB+"/lib", "liba.so", "libb.so"),
			storeA + "/lib/liba.so": refers(lib("liba.so"), named("b")...),
			storeB + "/lib/libb.so": exporting(lib("libb.so"), named("b")...),
		},
		want: []string{"note underlinked liba.so: A/lib/liba.so"},
	},
	{
		name: "unused_need",
		files: elftest.Tree{
			storeApp + "/bin/app":     refers(app(storeGlibc, storeA+"/lib:"+storeB+"/lib", "liba.so", "libb.so", "libtls.so"), named("a", "deep")...),
			storeA + "/lib/liba.so":   exporting(lib("liba.so"), named("a")...),
			storeB + "/lib/libb.so":   runPath(lib("libb.so", "libdeep.so", "libidle.so"), storeB+"/lib"), // stands for libdeep.so
			storeB + "/lib/libtls.so": elftest.Image{Soname: "libtls.so", Dyn: []elftest.Dyn{{Tag: elf.DT_INIT_ARRAYSZ, Val: 16}}},

			storeB + "/lib/libdeep.so": exporting(lib("libdeep.so"), named("deep")...),
			storeB + "/lib/libidle.so": lib("libidle.so"),
		},
		want: []string{"note unused-need libb.so: B/lib/libb.so"},
	},
	{
		name: "shadowed",
		files: with(elftest.Image{}, elftest.Tree{
			storeB + "/lib/liba.so": elftest.Image{Soname: "liba.so", RunPath: "/other"}}),
		want: []string{"note shadowed liba.so: A/lib/liba.so, B/lib/liba.so"},
	},
	{
		name:  "shadowed_by_the_same",
		files: with(elftest.Image{}, elftest.Tree{storeB + "/lib/liba.so": elftest.Image{Soname: "liba.so"}}),
	},
	{
		name:  "two_builds",
		files: system("2.36-9", "2.36-10"),
		want: append([]string{"error two-builds glibc: /lib64/" + ldso + ", /lib64/libc.so.6"},
			outside...),
	},
	{name: "one_build", files: system("2.36-9", "2.36-9"), want: outside},
}
