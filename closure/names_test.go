package closure_test

import (
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// nameRules are about what is loaded already, in what order, and names that are paths.
var nameRules = []rule{
	{
		name: "breadth_first",
		tree: tree{
			"bin/prog":     runPath(program(elftest.Image{}, "liba.so", "libb.so"), "DIR/lib"),
			"lib/liba.so":  runPath(lib("liba.so", "libc1.so"), "DIR/lib"),
			"lib/libb.so":  lib("libb.so"),
			"lib/libc1.so": lib("libc1.so"),
		},
		want: []string{"lib/liba.so [run path]", "lib/libb.so [run path]", "lib/libc1.so [run path]"},
	},
	{
		name: "duplicate_needed",
		tree: tree{
			"bin/prog":    runPath(program(elftest.Image{}, "liba.so", "liba.so", ""), "DIR/lib"),
			"lib/liba.so": lib("liba.so"),
		},
		want: []string{"lib/liba.so [run path]"},
	},
	{
		name: "already_loaded_by_name",
		tree: tree{
			"bin/prog":    runPath(program(elftest.Image{}, "liba.so", "libb.so"), "DIR/lib"),
			"lib/liba.so": runPath(lib("", "libb.so"), "DIR/own"),
			"lib/libb.so": lib(""),
			"own/libb.so": lib("", ""),
		},
		want: []string{"lib/liba.so [run path]", "lib/libb.so [run path]"},
	},
	{
		name: "already_loaded_by_soname",
		tree: tree{
			"bin/prog":        runPath(program(elftest.Image{}, "libfoo.so", "libuse.so"), "DIR/lib"),
			"lib/libfoo.so":   lib("libbar.so.1"),
			"lib/libuse.so":   runPath(lib("", "libbar.so.1"), "DIR/own"),
			"own/libbar.so.1": lib("libbar.so.1"),
		},
		want: []string{"lib/libfoo.so [run path]", "lib/libuse.so [run path]"},
	},
	{
		name: "soname_does_not_stop_another_name",
		tree: tree{
			"bin/prog":        runPath(program(elftest.Image{}, "libbar.so.1", "libfoo.so"), "DIR/lib"),
			"lib/libbar.so.1": lib("libbar.so.1"),
			"lib/libfoo.so":   lib("libbar.so.1", ""),
		},
		want: []string{"lib/libbar.so.1 [run path]", "lib/libfoo.so [run path]"},
	},
	{
		name: "file_name_is_no_name",
		tree: tree{
			"bin/prog":      runPath(program(elftest.Image{}, "DIR/one/liba.so", "liba.so"), "DIR/two"),
			"one/liba.so":   lib(""),
			"two/liba.so":   lib("", ""),
			"three/liba.so": lib(""),
		},
		want: []string{"one/liba.so [path]", "two/liba.so [run path]"},
	},
	{
		name: "path_then_soname",
		tree: tree{
			"bin/prog":      runPath(program(elftest.Image{}, "DIR/one/liba.so.1", "liba.so.1"), "DIR/two"),
			"one/liba.so.1": lib("liba.so.1"),
			"two/liba.so.1": lib("liba.so.1", ""),
		},
		want: []string{"one/liba.so.1 [path]"},
	},
	{
		name: "soname_then_path",
		tree: tree{
			"bin/prog":      runPath(program(elftest.Image{}, "liba.so.1", "DIR/two/liba.so.1"), "DIR/one"),
			"one/liba.so.1": lib("liba.so.1"),
			"two/liba.so.1": lib("liba.so.1", ""),
		},
		want: []string{"one/liba.so.1 [run path]", "two/liba.so.1 [path]"},
	},
	{
		name: "loader_by_soname",
		tree: tree{
			"bin/prog":    runPath(program(elftest.Image{}, "liba.so"), "DIR/lib"),
			"lib/liba.so": runPath(lib("", "ld-linux-x86-64.so.2"), "DIR/lib"),
		},
		want: []string{"lib/liba.so [run path]", x86Interp + " [loader]"},
	},
	{
		name: "path_with_token",
		tree: tree{
			"bin/prog":    program(elftest.Image{}, "$ORIGIN/../lib/liba.so"),
			"lib/liba.so": lib(""),
		},
		want: []string{"bin/../lib/liba.so [path]"},
	},
	{
		name: "path_relative",
		tree: tree{
			"bin/prog":    program(elftest.Image{}, "lib/liba.so"),
			"lib/liba.so": lib(""),
		},
		missing: []string{"lib/liba.so"},
	},
}
