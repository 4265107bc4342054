package closure_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/closure/wrapper"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// starts is a wrapper that only starts another program.
func starts(target string) elftest.Script {
	return elftest.Script("#!/bin/sh\nexec -a \"$0\" \"" + target + "\"  \"$@\" \n")
}

// binaryWrapper is an ELF file with the string that makeBinaryWrapper leaves in one.
func binaryWrapper(command string) elftest.Script {
	return elftest.Script("\x7fELF\x00\n# The C-code for this binary wrapper has been generated using the following command:\n\n\nmakeCWrapper " + command + "\n\x00")
}

func launchTree() elftest.Tree {
	loop := elftest.Tree{}
	for i := range 40 {
		loop["/deep/"+strings.Repeat("x", i)+"y"] = starts("/deep/" + strings.Repeat("x", i+1) + "y")
	}
	loop["/deep/"+strings.Repeat("x", 40)+"y"] = program(elftest.Image{})
	for name, f := range (elftest.Tree{
		"/bin/prog":     program(elftest.Image{}),
		"/bin/once":     starts("/bin/prog"),
		"/bin/twice":    binaryWrapper("'/bin/link' \\\n    --set 'A' 'b'"),
		"/bin/link":     elftest.Link("../opt/once"),
		"/opt/once":     elftest.Link("/bin/once"),
		"/bin/py":       binaryWrapper("'/bin/prog' \\\n    --inherit-argv0"),
		"/bin/script":   elftest.Script("#!/bin/py -u\nimport x\n"),
		"/bin/tool":     starts("/bin/script"),
		"/bin/shell":    elftest.Script("#!/bin/prog\n"),
		"/bin/envabs":   elftest.Script("#!/usr/bin/env -S A=1 /bin/prog -x\n"),
		"/bin/env":      elftest.Script("#!/usr/bin/env python3\n"),
		"/bin/enveval":  elftest.Script("#!/usr/bin/env -S ${PY}\n"),
		"/bin/relative": elftest.Script("#!bin/py\n"),
		"/bin/nothing":  elftest.Script("#! \n"),
		"/bin/self":     starts("/bin/self"),
		"/bin/a":        starts("/bin/b"),
		"/bin/b":        binaryWrapper("'/bin/a'"),
		"/bin/interp":   elftest.Script("#!/bin/interp\n"),
		"/bin/missing":  starts("/bin/gone"),
		"/bin/dangle":   starts("/bin/dangling"),
		"/bin/dangling": elftest.Link("/bin/gone"),
		"/bin/dir":      starts("/opt"),
		"/bin/plain":    starts("/etc/plain"),
		"/etc/plain":    elftest.Data("#!/bin/sh\nexec /bin/prog\n"),
		"/bin/text":     starts("/bin/readme"),
		"/bin/readme":   elftest.Script("read me"),
		"/bin/empty":    elftest.Script(""),
		"/bin/toempty":  elftest.Script("#!/bin/sh\nexec /bin/empty\n"),
		"/bin/run":      elftest.Script("#!/bin/sh -e\nmkdir -p ~/.x\nexec \"/bin/prog\"  \"$@\" \n"),
		"/bin/out":      starts("/../../bin/prog"),
		"/bin/flag":     binaryWrapper("'/bin/prog' \\\n    --set 'a.b' 'c'"),
	}) {
		loop[name] = f
	}
	return loop
}

func TestReadLaunch(t *testing.T) {
	root := launchTree().FS()
	for _, test := range []struct {
		path, program string
		steps         []string // kind, asked and path of each
	}{
		{"/bin/prog", "/bin/prog", nil},
		{"/bin/once", "/bin/prog", []string{"shell /bin/once /bin/once"}},
		{"/bin/twice", "/bin/prog", []string{"binary /bin/twice /bin/twice", "shell /bin/link /bin/once"}},
		{"/opt/once", "/bin/prog", []string{"shell /opt/once /bin/once"}},
		{"/bin/tool", "/bin/prog", []string{"shell /bin/tool /bin/tool", "script /bin/script /bin/script", "binary /bin/py /bin/py"}},
		{"/bin/shell", "/bin/prog", []string{"script /bin/shell /bin/shell"}},
		{"/bin/envabs", "/bin/prog", []string{"script /bin/envabs /bin/envabs"}},
		{"/bin/out", "/bin/prog", []string{"shell /bin/out /bin/out"}},
		{"/deep/" + strings.Repeat("x", 9) + "y", "/deep/" + strings.Repeat("x", 40) + "y", make([]string, 31)},
	} {
		l, err := closure.ReadLaunch(root, test.path, closure.Options{})
		require.NoError(t, err, test.path)
		assert.Equal(t, test.program, l.Program, test.path)
		assert.Equal(t, test.path, l.Asked)
		require.Len(t, l.Steps, len(test.steps), test.path)
		for i, s := range test.steps {
			if s != "" {
				assert.Equal(t, s, string(l.Steps[i].Kind)+" "+l.Steps[i].Asked+" "+l.Steps[i].Path)
			}
		}
	}
}

func TestReadLaunchErrors(t *testing.T) {
	root := launchTree().FS()
	for _, test := range []struct {
		path, want, hint string
		is               error
	}{
		{"/bin/self", "/bin/self: starts itself (/bin/self -> /bin/self)", "the wrapper was made with its own path as the program", nil},
		{"/bin/a", "/bin/a: starts itself, through others (/bin/a -> /bin/b -> /bin/a)", "one of the wrappers was made with the wrong program", nil},
		{"/bin/interp", "/bin/interp: starts itself (/bin/interp -> /bin/interp)", "the wrapper was made with its own path as the program", nil},
		{"/bin/missing", "/bin/gone: no such file (/bin/missing -> /bin/gone)", "", fs.ErrNotExist},
		{"/bin/dangle", "/bin/dangling: dangling link: it points to /bin/gone (/bin/dangle -> /bin/dangling)", "", fs.ErrNotExist},
		{"/bin/dir", "/opt: is a folder (/bin/dir -> /opt)", "name a program in it, such as /opt/bin/NAME", nil},
		{"/bin/plain", "/etc/plain: is not executable (/bin/plain -> /etc/plain)", "make it executable, or have the wrapper start another program", fs.ErrPermission},
		{"/bin/text", "/bin/readme: is neither an ELF file nor a script (/bin/text -> /bin/readme)", "name a program, or a wrapper of one", nil},
		{"/bin/toempty", "/bin/empty: is empty (/bin/toempty -> /bin/empty)", "", nil},
		{"/bin/nothing", "/bin/nothing: names no interpreter behind #!", "", nil},
		{"/bin/env", "/bin/env: its interpreter is the python3 that env finds on PATH, which is known only when it runs",
			"let patchShebangs of nixpkgs put a path of the store there", nil},
		{"/bin/enveval", "/bin/enveval: its interpreter is known only when it runs: env -S with an escape, a variable or a comment",
			"name an interpreter by its path behind #!", nil},
		{"/bin/relative", "/bin/relative: its interpreter bin/py is no absolute path", "name an interpreter by its path behind #!", nil},
		{"/bin/run", "/bin/run: line 2: mkdir -p ~/.x: runs a command",
			"take /bin/prog, or make the wrapper with --set, --prefix and --add-flags alone", nil},
		{"/bin/flag", "/bin/flag: --set a.b c: changes the variable \"a.b\", which no shell can",
			"take /bin/prog, or make the wrapper with --set, --prefix and --add-flags alone", nil},
	} {
		_, err := closure.ReadLaunch(root, test.path, closure.Options{})
		var hint interface{ Hint() string }
		require.EqualError(t, err, test.want)
		require.ErrorAs(t, err, &hint)
		assert.Equal(t, test.hint, hint.Hint(), test.path)
		if test.is != nil {
			assert.ErrorIs(t, err, test.is)
		}
		assert.ErrorAs(t, err, new(*closure.LaunchError))
	}
	_, err := closure.ReadLaunch(root, "/bin/run", closure.Options{})
	var u *wrapper.UnsupportedError
	require.ErrorAs(t, err, &u)
	assert.Equal(t, 2, u.Line)
	_, err = closure.ReadLaunch(root, "/deep/y", closure.Options{})
	assert.ErrorContains(t, err, "too many wrappers one behind the other")
	for _, path := range []string{"/bin/gone", "bin/prog", "/opt"} {
		_, err := closure.ReadLaunch(root, path, closure.Options{})
		assert.True(t, errors.As(err, new(*closure.ProgramError)), "%v", err)
	}
}

func TestFlatten(t *testing.T) {
	root := launchTree().FS()
	for _, test := range []struct {
		path string
		want wrapper.Wrapper
	}{
		{"/bin/prog", wrapper.Wrapper{}},
		{"/bin/tool", wrapper.Wrapper{Kind: wrapper.Shell, Interp: []string{"/bin/sh"}, Target: "/bin/prog", Argv0: wrapper.Argv0{Text: "/bin/py"},
			Args: []wrapper.Arg{{Text: "-u"}, {Text: "/bin/script"}}}},
		{"/bin/twice", wrapper.Wrapper{Kind: wrapper.Binary, Target: "/bin/prog", Argv0: wrapper.Argv0{Text: "/bin/link"},
			Env: []wrapper.Change{{Op: wrapper.Set, Name: "A", Value: "b"}}}},
		{"/bin/envabs", wrapper.Wrapper{Kind: wrapper.Script, Interp: []string{"/usr/bin/env", "-S A=1 /bin/prog -x"}, Target: "/bin/prog",
			Env: []wrapper.Change{{Op: wrapper.Set, Name: "A", Value: "1"}}, Args: []wrapper.Arg{{Text: "-x"}, {Text: "/bin/envabs"}}}},
	} {
		l, err := closure.ReadLaunch(root, test.path, closure.Options{})
		require.NoError(t, err)
		w, err := closure.Flatten(l.Steps)
		require.NoError(t, err)
		if len(w.Env) == 0 {
			w.Env = nil
		}
		assert.Equal(t, test.want, w, test.path)
	}
}
