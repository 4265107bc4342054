package bundle_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	// So that a test is not taken from the cache when one of them has changed: bundle imports the rest.
	_ "github.com/nixbundle/nixbundle/bundle/trial"
	_ "github.com/nixbundle/nixbundle/closure/nixdb"
	_ "github.com/nixbundle/nixbundle/closure/report"
	_ "github.com/nixbundle/nixbundle/elfpatch/elftest"
)

var update = flag.Bool("update", false, "write testdata/api anew")

const module = "github.com/nixbundle/nixbundle/"

// library are the packages of the library: what they export is what the project promises.
var library = []string{
	"elfpatch", "elfpatch/elftest", "elfpatch/stub", "closure", "closure/nixdb", "closure/report", "closure/sarif", "closure/wrapper", "bundle", "bundle/trial",
}

// TestAPI holds what the packages export against testdata/api, so that a change of the API is seen as one in
// review. Each line is one name, as in the Go project's own api/*.txt. After a change that is wanted:
//
//	go test ./bundle -run TestAPI -update
func TestAPI(t *testing.T) {
	load := exports(t)
	for _, name := range library {
		t.Run(name, func(t *testing.T) {
			pkg, err := load.Import(module + name)
			require.NoError(t, err)
			got := exported(pkg)
			file := filepath.Join("../testdata/api", strings.ReplaceAll(name, "/", "-")+".txt")
			if *update {
				require.NoError(t, os.WriteFile(file, []byte(strings.Join(got, "\n")+"\n"), 0o644))
			}
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			want := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
			require.NotEmpty(t, got)
			for _, line := range got {
				assert.True(t, slices.Contains(want, line), "new, and not in %s: %s", file, line)
			}
			for _, line := range want {
				assert.True(t, slices.Contains(got, line), "gone or changed, and in %s: %s", file, line)
			}
		})
	}
}

// TestLibraryComplete: no package that others can import is left out of the listing, or stays in it when it is gone.
func TestLibraryComplete(t *testing.T) {
	var names []string
	for _, p := range goList(t, "-json=ImportPath,Name", "../elfpatch/...", "../closure/...", "../bundle/...") {
		names = append(names, strings.TrimPrefix(p.ImportPath, module))
	}
	require.ElementsMatch(t, names, library)
}

type listed struct{ ImportPath, Name, Dir, Export string }

// goList asks the go command of packages.
func goList(t *testing.T, args ...string) (list []listed) {
	t.Helper()
	c := exec.Command("go", append([]string{"list"}, args...)...)
	c.Stderr = os.Stderr
	out, err := c.Output()
	require.NoError(t, err)
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			return list
		}
		require.NoError(t, err)
		list = append(list, p)
	}
}

// exports imports packages by what the compiler has written down of them.
func exports(t *testing.T) types.Importer {
	files := map[string]string{}
	args := []string{"-export", "-deps", "-json=ImportPath,Export"}
	for _, name := range library {
		args = append(args, module+name)
	}
	for _, p := range goList(t, args...) {
		files[p.ImportPath] = p.Export
	}
	return importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) { return os.Open(files[path]) })
}

// exported lists what a package exports, sorted.
func exported(pkg *types.Package) []string {
	var list []string
	qualifier := func(p *types.Package) string {
		if p == pkg {
			return ""
		}
		return p.Name()
	}
	add := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	for _, name := range pkg.Scope().Names() {
		if !token.IsExported(name) {
			continue
		}
		switch o := pkg.Scope().Lookup(name).(type) {
		case *types.Const:
			add("const %s %s = %s", name, types.TypeString(o.Type(), qualifier), o.Val().ExactString())
		case *types.Var:
			add("var %s %s", name, types.TypeString(o.Type(), qualifier))
		case *types.Func:
			add("func %s%s", name, signature(o, qualifier))
		case *types.TypeName:
			list = append(list, exportedType(o, qualifier)...)
		}
	}
	slices.Sort(list)
	return list
}

// signature is a function's type without the names of its parameters, which callers do not use.
func signature(f *types.Func, qualifier types.Qualifier) string {
	nameless := func(tuple *types.Tuple) *types.Tuple {
		vars := make([]*types.Var, tuple.Len())
		for i := range vars {
			vars[i] = types.NewParam(token.NoPos, nil, "", tuple.At(i).Type())
		}
		return types.NewTuple(vars...)
	}
	s := f.Signature()
	s = types.NewSignatureType(nil, nil, nil, nameless(s.Params()), nameless(s.Results()), s.Variadic())
	return strings.TrimPrefix(types.TypeString(s, qualifier), "func")
}

// exportedType lists a type, its fields and its methods, those of embedded fields among them.
func exportedType(o *types.TypeName, qualifier types.Qualifier) []string {
	named := "type " + o.Name()
	list := []string{named + " " + types.TypeString(o.Type().Underlying(), qualifier)}
	switch u := o.Type().Underlying().(type) {
	case *types.Struct:
		list[0] = named + " struct"
		for f := range u.Fields() {
			switch {
			case f.Exported() && f.Embedded():
				list = append(list, named+" struct, embedded "+types.TypeString(f.Type(), qualifier))
			case f.Exported():
				list = append(list, named+" struct, "+f.Name()+" "+types.TypeString(f.Type(), qualifier))
			}
		}
	case *types.Interface:
		list[0] = named + " interface"
		for m := range u.Methods() {
			if m.Exported() {
				list = append(list, named+" interface, "+m.Name()+signature(m, qualifier))
			} else {
				list = append(list, named+" interface, unexported methods")
			}
		}
		return list
	}
	values := types.NewMethodSet(o.Type())
	for m := range types.NewMethodSet(types.NewPointer(o.Type())).Methods() {
		f := m.Obj().(*types.Func)
		if !f.Exported() {
			continue
		}
		receiver := "*" + o.Name()
		if values.Lookup(f.Pkg(), f.Name()) != nil {
			receiver = o.Name()
		}
		list = append(list, "method ("+receiver+") "+f.Name()+signature(f, qualifier))
	}
	return list
}
