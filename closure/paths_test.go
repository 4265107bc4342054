package closure_test

import (
	"debug/elf"

	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// pathRules are about where a name is searched, in the order of ld.so(8), and what a path list means.
var pathRules = []rule{
	{
		name: "rpath_of_program",
		tree: tree{
			"bin/prog":    rpath(program(elftest.Image{}, "liba.so"), "DIR/none:DIR/lib"),
			"lib/liba.so": lib(""),
		},
		want: []string{"lib/liba.so [rpath]"},
	},
	{
		name: "rpath_of_parent",
		tree: tree{
			"bin/prog":    runPath(program(elftest.Image{}, "liba.so"), "DIR/lib"),
			"lib/liba.so": rpath(lib("", "libb.so"), "DIR/own"),
			"own/libb.so": lib("", "libd.so"),
			"own/libd.so": lib(""),
		},
		want: []string{"lib/liba.so [run path]", "own/libb.so [rpath]", "own/libd.so [rpath]"},
	},
	{
		name: "rpath_of_requester_before_parents",
		tree: tree{
			"bin/prog":    rpath(program(elftest.Image{}, "liba.so"), "DIR/lib"),
			"lib/liba.so": rpath(lib("", "libb.so"), "DIR/own"),
			"lib/libb.so": lib(""),
			"own/libb.so": lib("", ""),
		},
		want: []string{"lib/liba.so [rpath]", "own/libb.so [rpath]"},
	},
	{
		name: "rpath_of_first_loader_only",
		tree: tree{
			"bin/prog":    runPath(program(elftest.Image{}, "liba.so", "libb.so"), "DIR/lib"),
			"lib/liba.so": rpath(lib("", "libx.so"), "DIR/x"),
			"lib/libb.so": rpath(lib("", "libx.so"), "DIR/x:DIR/y"),
			"x/libx.so":   lib("", "libd.so"),
			"y/libd.so":   lib(""),
		},
		want:    []string{"lib/liba.so [run path]", "lib/libb.so [run path]", "x/libx.so [rpath]"},
		missing: []string{"libd.so"},
	},
	{
		name: "run_path_hides_rpath",
		tree: tree{
			"bin/prog":      rpath(runPath(program(elftest.Image{}, "liba.so", "libb.so"), "DIR/run"), "DIR/rpath"),
			"rpath/liba.so": lib(""),
			"run/libb.so":   lib(""),
		},
		want:    []string{"run/libb.so [run path]"},
		missing: []string{"liba.so"},
	},
	{
		name: "run_path_of_requester_hides_chain",
		tree: tree{
			"bin/prog":    rpath(program(elftest.Image{}, "liba.so"), "DIR/lib"),
			"lib/liba.so": runPath(lib("", "libb.so"), "DIR/own"),
			"lib/libb.so": lib(""),
		},
		want:    []string{"lib/liba.so [rpath]"},
		missing: []string{"libb.so"},
	},
	{
		name: "run_path_of_parent_hides_nothing",
		tree: tree{
			"bin/prog":    rpath(program(elftest.Image{}, "liba.so"), "DIR/lib"),
			"lib/liba.so": runPath(lib("", "libx.so"), "DIR/own"),
			"own/libx.so": lib("", "libb.so"),
			"lib/libb.so": lib(""),
		},
		want: []string{"lib/liba.so [rpath]", "own/libx.so [run path]", "lib/libb.so [rpath]"},
	},
	{
		name: "run_path_of_parent_hides_its_own_rpath",
		tree: tree{
			"bin/prog":      runPath(program(elftest.Image{}, "liba.so"), "DIR/lib"),
			"lib/liba.so":   rpath(runPath(lib("", "libx.so"), "DIR/own"), "DIR/rpath"),
			"own/libx.so":   lib("", "libb.so"),
			"rpath/libb.so": lib(""),
		},
		want:    []string{"lib/liba.so [run path]", "own/libx.so [run path]"},
		missing: []string{"libb.so"},
	},
	{
		name: "empty_run_path_hides_rpath",
		tree: tree{
			"bin/prog":    rpath(program(elftest.Image{}, "liba.so"), "DIR/lib"),
			"lib/liba.so": runPath(lib("", "libb.so"), ""),
			"lib/libb.so": lib(""),
		},
		want:    []string{"lib/liba.so [rpath]"},
		missing: []string{"libb.so"},
	},
	{
		name: "run_path_is_not_inherited",
		tree: tree{
			"bin/prog":    runPath(program(elftest.Image{}, "liba.so"), "DIR/lib"),
			"lib/liba.so": lib("", "libb.so"),
			"lib/libb.so": lib(""),
		},
		want:    []string{"lib/liba.so [run path]"},
		missing: []string{"libb.so"},
	},
	{
		name: "empty_element_is_current_directory",
		tree: tree{
			"bin/prog":    runPath(program(elftest.Image{}, "liba.so"), ":DIR/none::"),
			"lib/liba.so": lib(""),
		},
		missing: []string{"liba.so"},
	},
	{
		name: "relative_element",
		tree: tree{
			"bin/prog":    runPath(program(elftest.Image{}, "liba.so"), "lib:./lib:DIR/lib"),
			"lib/liba.so": lib(""),
		},
		want: []string{"lib/liba.so [run path]"},
	},
	{
		name: "slashes_of_an_element",
		tree: tree{
			"bin/prog":    runPath(program(elftest.Image{}, "liba.so"), "DIR//bin/.././lib///"),
			"lib/liba.so": lib(""),
		},
		want: []string{"//bin/.././lib/liba.so [run path]"},
	},
	{
		name: "first_directory_wins",
		tree: tree{
			"bin/prog":    runPath(program(elftest.Image{}, "liba.so"), "DIR/none:DIR/empty:DIR/two:DIR/one:DIR/two"),
			"empty":       elftest.Dir{},
			"one/liba.so": lib(""),
			"two/liba.so": lib("", ""),
		},
		want: []string{"two/liba.so [run path]"},
	},
	{
		name: "origin_of_program_is_its_real_path",
		tree: tree{
			"bin/prog":        elftest.Link("DIR/pkg/bin/prog"),
			"pkg/bin/prog":    runPath(program(elftest.Image{}, "liba.so"), "${ORIGIN}/../lib"),
			"pkg/lib/liba.so": lib(""),
			"lib/liba.so":     lib("", ""),
		},
		want: []string{"pkg/bin/../lib/liba.so [run path]"},
	},
	{
		name: "origin_of_library_is_text",
		tree: tree{
			"bin/prog":      runPath(program(elftest.Image{}, "liba.so"), "DIR/farm"),
			"farm/liba.so":  elftest.Link("../store/liba.so"),
			"store/liba.so": runPath(lib("", "libb.so"), "$ORIGIN"),
			"farm/libb.so":  lib(""),
			"store/libb.so": lib("", ""),
		},
		want: []string{"farm/liba.so [run path]", "farm/libb.so [run path]"},
	},
	{
		name: "token_ends_where_a_name_ends",
		tree: tree{
			"bin/prog":      runPath(program(elftest.Image{}, "liba.so"), "$ORIGINx:DIR/$FOO:DIR/${ORIGIN:$ORIGIN-x"),
			"bin-x/liba.so": lib(""),
			"binx/liba.so":  lib("", ""),
		},
		want: []string{"bin-x/liba.so [run path]"},
	},
	{
		name: "unknown_token_is_text",
		tree: tree{
			"bin/prog":     runPath(program(elftest.Image{}, "liba.so"), "DIR/$FOO"),
			"$FOO/liba.so": lib(""),
		},
		want: []string{"$FOO/liba.so [run path]"},
	},
	{
		name: "lib_token",
		tree: tree{
			"bin/prog":                     runPath(program(elftest.Image{}, "liba.so"), "DIR/$LIB"),
			"lib/x86_64-linux-gnu/liba.so": lib(""),
		},
		want: []string{"lib/x86_64-linux-gnu/liba.so [run path]"},
	},
	{
		name: "platform_token_drops_its_element",
		tree: tree{
			"bin/prog":       runPath(program(elftest.Image{}, "liba.so"), "DIR/$PLATFORM:DIR/lib"),
			"x86_64/liba.so": lib("", ""),
			"lib/liba.so":    lib(""),
		},
		want: []string{"lib/liba.so [run path]"},
		mem:  true,
	},
	{
		name: "no_default_directories",
		tree: tree{
			"bin/prog": flags1(program(elftest.Image{}, "libc.so.6"), elf.DF_1_NODEFLIB),
		},
		missing: []string{"libc.so.6"},
	},
}
