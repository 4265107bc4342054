package wrapper

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestShebang(t *testing.T) {
	long := "/" + strings.Repeat("d", 300)
	for _, test := range []struct {
		text string
		want []string
	}{
		{"#!/bin/sh\n", []string{"/bin/sh"}},
		{"#! /bin/sh -e \t\nx", []string{"/bin/sh", "-e"}},
		{"#!\t/bin/sh \t -e  -u\n", []string{"/bin/sh", "-e  -u"}},
		{"#!/bin/sh", []string{"/bin/sh"}},
		{"#!/bin/sh\x00 -e\n", []string{"/bin/sh"}},
		{"#!/bin/sh -e\x00u\n", []string{"/bin/sh", "-e"}},
		{"#!/bin/sh " + long + "\n", []string{"/bin/sh", long[:255-len("#!/bin/sh ")]}},
		{"#!" + long + "\n", nil},
		{"#!\n/bin/sh", nil},
		{"#! \t", nil},
		{"#!", nil},
		{"# !/bin/sh", nil},
		{"", nil},
	} {
		got, err := shebang([]byte(test.text))
		assert.Equal(t, test.want, got, "%q", test.text)
		assert.Equal(t, test.want == nil, err != nil, "%q", test.text)
	}
}

func TestInterpreter(t *testing.T) {
	for _, test := range []struct {
		line string
		want []string
		env  []Change
	}{
		{"/bin/sh -e", []string{"/bin/sh", "-e"}, nil},
		{"/usr/bin/env python3", []string{"python3"}, nil},
		{"/usr/bin/env python3 -u", []string{"python3 -u"}, nil}, // one word: env looks for that name
		{"/usr/bin/env -S python3 -u 'a b'", []string{"python3", "-u", "a b"}, nil},
		{`/usr/bin/env --split-string=A="x y" /bin/sh -e`, []string{"/bin/sh", "-e"}, []Change{{Op: Set, Name: "A", Value: "x y"}}},
		{"/usr/bin/env -S -i sh", nil, nil},
		{"/usr/bin/env -S ${X} sh", nil, nil},
		{"/usr/bin/env", nil, nil},
	} {
		w, err := Parse([]byte("#!" + test.line + "\nprint 1\n"))
		require.NoError(t, err, test.line)
		assert.Equal(t, Script, w.Kind, test.line)
		words, env, err := w.Interpreter()
		assert.Equal(t, test.want == nil, err != nil, test.line)
		assert.Equal(t, test.want, words, test.line)
		assert.Equal(t, test.env, env, test.line)
	}
}

// TestParse holds texts against what they are understood as; run_test.go runs them.
func TestParse(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       Wrapper
	}{
		{"exec alone", `exec /opt/x "$@"`, Wrapper{Target: "/opt/x"}},
		{"what users have in braces", `exec -- "/opt/x" "${@}"`, Wrapper{Target: "/opt/x"}},
		{"old users", `exec /opt/x ${1+"$@"}`, Wrapper{Target: "/opt/x"}},
		{"no user", `exec /opt/x --daemon`, Wrapper{Target: "/opt/x", Args: []Arg{{Text: "--daemon"}}, Drop: true}},
		{"argv0", `exec -a "$0" '/opt/x' a "$@" 'b c'`, Wrapper{Target: "/opt/x", Argv0: Argv0{Inherit: true}, Args: []Arg{{Text: "a"}}, After: []Arg{{Text: "b c"}}}},
		{"bare argv0", `exec -a $0 /opt/x "${extraFlagsArray[@]}" "$@"`, Wrapper{Target: "/opt/x", Argv0: Argv0{Inherit: true}}},
		{"a name", `exec -a "nom" /opt/x "$@"`, Wrapper{Target: "/opt/x", Argv0: Argv0{Text: "nom"}}},
		{"folders", "cd /a/b\ncd -- 'c d'\nexec /opt/x \"$@\"", Wrapper{Target: "/opt/x", Chdir: "/a/b/c d"}},
		{"two lines", "A=b; export A\n# a comment\n\nset -e # and another\nexec /opt/x \\\n  \"$@\"; never", Wrapper{Target: "/opt/x", Env: []Change{{Op: Set, Name: "A", Value: "b"}}}},
		{"not exported", "A=b\nexec /opt/x \"$@\"", Wrapper{Target: "/opt/x", Env: []Change{{Op: Set, Name: "A", Value: "b", IfSet: true}}}},
		{"in front of exec", `A=b exec /opt/x "$@"`, Wrapper{Target: "/opt/x", Env: []Change{{Op: Set, Name: "A", Value: "b"}}}},
		{"a variable of its own", "d=/opt\nexec $d/x \"$d\" \"$@\"", Wrapper{Target: "/opt/x", Args: []Arg{{Text: "/opt"}}, Env: []Change{{Op: Set, Name: "d", Value: "/opt", IfSet: true}}}},
		{"fill", ": ${A:=b}\nexport A\nexec /opt/x \"$@\"", Wrapper{Target: "/opt/x", Env: []Change{{Op: Fill, Name: "A", Value: "b"}}}},
		{"default, not exported", ": \"${A=b}\"\nexec /opt/x \"$@\"", Wrapper{Target: "/opt/x"}},
		{"default", "export A=${A-'b c'}\nexec /opt/x \"$@\"", Wrapper{Target: "/opt/x", Env: []Change{{Op: SetDefault, Name: "A", Value: "b c"}}}},
		{"always", "PATH=/b:$PATH\nexport PATH\nexec /opt/x \"$@\"", Wrapper{Target: "/opt/x", Env: []Change{{Op: Prefix, Name: "PATH", Value: "/b", Sep: ":", Join: JoinAlways}}}},
		{"both ends", "export P=\"/a:$P:/b\"\nexec /opt/x \"$@\"", Wrapper{Target: "/opt/x", Env: []Change{
			{Op: Prefix, Name: "P", Value: "/a", Sep: ":", Join: JoinAlways}, {Op: Suffix, Name: "P", Value: "/b", Sep: ":", Join: JoinAlways}}}},
		{"where it is set", "export P=/a${P+:$P}\nexec /opt/x \"$@\"", Wrapper{Target: "/opt/x", Env: []Change{{Op: Prefix, Name: "P", Value: "/a", Sep: ":", Join: JoinSet}}}},
		{"twice", "export P=a\nexport P=b:$P\nexec /opt/x \"$@\"", Wrapper{Target: "/opt/x", Env: []Change{{Op: Set, Name: "P", Value: "b:a"}}}},
		{"gone", "unset P Q\nexport P=a${P:+:$P}\nexec /opt/x \"$@\"", Wrapper{Target: "/opt/x", Env: []Change{{Op: Unset, Name: "P"}, {Op: Unset, Name: "Q"}, {Op: Set, Name: "P", Value: "a"}}}},
		{"expanded later", `exec /opt/x ${A:+--a "$B"} "$@"`, Wrapper{Target: "/opt/x", Args: []Arg{{Text: `${A:+--a "${B}"}`, Shell: true}}}},
	} {
		for _, line := range []string{"/bin/sh", " /nix/store/b/bin/bash -e", "/usr/bin/env bash", "/bin/busybox sh"} {
			want := test.want
			want.Kind = Shell
			want.Interp, _ = shebang([]byte("#!" + line + "\n"))
			got, err := Parse([]byte("#!" + line + "\n" + test.text + "\n"))
			if len(got.Env) == 0 {
				got.Env = nil
			}
			require.NoError(t, err, test.name)
			require.Equal(t, &want, got, test.name)
		}
	}
}

func TestUnsupported(t *testing.T) {
	const exec = "\nexec /opt/x \"$@\"\n"
	for _, test := range []struct{ text, why string }{
		{"mkdir -p /tmp/x" + exec, "line 2: mkdir -p /tmp/x: runs a command"},
		{"export A=`id`" + exec, "line 2: export A=`id`: runs a command between backticks"},
		{"\nexport A=$(id)" + exec, "line 3: export A=$(id): runs a command between $( and )"},
		{"export A=$((1+1))" + exec, "line 2: export A=$((1+1)): computes a number"},
		{"export A=$HOME/x" + exec, "line 2: export A=$HOME/x: makes a value of $HOME, which is known only when it runs"},
		{"export A=~/x" + exec, "line 2: export A=~/x: has a ~, which stands for a home folder"},
		{"export A=${A//a/b}" + exec, "line 2: export A=${A//a/b}: expands ${A//...} in a value"},
		{"export A=$A$A" + exec, "line 2: export A=$A$A: puts a variable's own value in twice"},
		{"export UID=1" + exec, "line 2: export UID=1: changes UID, which shells have for themselves"},
		{"export A='%ROOT%/x'" + exec, "line 2: export A='%ROOT%/x': has %ROOT% in it, which stands for the bundle's folder"},
		{"cd \"$(dirname \"$0\")\"" + exec, "line 2: cd \"$(dirname \"$0\")\": runs a command between $( and )"},
		{"cd -" + exec, "line 2: cd -: gives cd an option"},
		{"set -f" + exec, "line 2: set -f: sets an option of its shell, or its arguments"},
		{"set -- a" + exec, "line 2: set -- a: sets an option of its shell, or its arguments"},
		{"if true; then" + exec, "line 2: if true; then: runs a command"},
		{"f() { x; }" + exec, "line 2: f() { x; }: redirects, pipes or groups commands"},
		{"exec 2>/dev/null" + exec, "line 2: exec 2>/dev/null: redirects, pipes or groups commands"},
		{"export 'A" + exec, "line 2: export 'A: has a quote or a brace that is not closed"},
		{"exec /opt/x $@", "line 2: exec /opt/x $@: has $@ in an argument"},
		{"exec /opt/x \"$@\" \"$@\"", "line 2: exec /opt/x \"$@\" \"$@\": passes the arguments on twice"},
		{"exec -c /opt/x \"$@\"", "line 2: exec -c /opt/x \"$@\": gives exec the option -c"},
		{"exec -a \"$(which \"$0\")\" \"/opt/x\" \"$@\"", "line 2: exec -a \"$(which \"$0\")\" \"/opt/x\" \"$@\": runs a command between $( and )"},
		{"exec /opt/x {a,b} \"$@\"", "line 2: exec /opt/x {a,b} \"$@\": has braces that bash makes several words of"},
		{"d='a b'\nexec /opt/x $d \"$@\"", "line 3: exec /opt/x $d \"$@\": has a variable that would be split into arguments"},
	} {
		w, err := Parse([]byte("#!/bin/bash -e\n" + test.text))
		var u *UnsupportedError
		require.ErrorAs(t, err, &u, test.text)
		assert.Equal(t, test.why, err.Error())
		assert.Equal(t, "/opt/x", u.Target, test.text)
		assert.Contains(t, u.Hint(), "/opt/x")
		assert.Equal(t, Script, w.Kind)
	}
	for _, text := range []string{
		"#!/bin/sh -l\nexec /opt/x \"$@\"\n",
		"#!/bin/sh\n" + strings.Repeat("A=bcdefgh\n", MaxText/10) + "exec /opt/x \"$@\"\n",
		"#!/bin/sh\nA=" + strings.Repeat("x", maxValue) + "\nB=$A\nB=$A$B\nexec /opt/x \"$@\"\n",
		"#!/bin/sh\nA=" + strings.Repeat("''", maxParts+2) + "\nexec /opt/x \"$@\"\n",
		"#!/bin/sh\nA=\x00\nexec /opt/x \"$@\"\n",
	} {
		w, err := Parse([]byte(text))
		assert.True(t, err != nil || w.Why != nil, "%.40q", text)
	}
}

func TestScripts(t *testing.T) {
	for _, test := range []struct{ text, why string }{
		{"#!/usr/bin/python3\nimport sys;import site\n", ""},
		{"#!/usr/bin/fish\nexec /opt/x $argv\n", ""},
		{"#!/usr/bin/env -i sh\nexec /opt/x\n", ""},
		{"#!/bin/sh\necho hello\n", "line 2: echo hello: runs a command"},
		{"#!/bin/sh\n", "line 1: #!/bin/sh: ends without starting a program by exec"},
		{"#!/bin/sh\nexec x \"$@\"\n", "line 2: exec x \"$@\": starts x, which is no absolute path"},
		{"#!/bin/sh\nexec \"$HERE/x\" \"$@\"\n", "line 2: exec \"$HERE/x\" \"$@\": starts a program that is known only when it runs"},
		{"#!/bin/sh\n/opt/x \"$@\"\n", "line 2: /opt/x \"$@\": runs a command"},
	} {
		w, err := Parse([]byte(test.text))
		require.NoError(t, err)
		assert.Equal(t, Script, w.Kind)
		why := ""
		if w.Why != nil {
			why = w.Why.Error()
			assert.NotEmpty(t, w.Why.Hint())
		}
		assert.Equal(t, test.why, why)
	}
	_, err := Parse([]byte("echo hello\n"))
	assert.Error(t, err)
	assert.False(t, errors.As(err, new(*UnsupportedError)))
}

func TestChain(t *testing.T) {
	outer := Wrapper{Kind: Shell, Interp: []string{"/bin/sh"}, Target: "/b", Argv0: Argv0{Inherit: true}, Chdir: "/d",
		Env: []Change{{Op: Set, Name: "A", Value: "1"}}, Args: []Arg{{Text: "o1"}}, After: []Arg{{Text: "o2"}}}
	inner := Wrapper{Kind: Binary, Target: "/c", Chdir: "e",
		Env: []Change{{Op: Unset, Name: "A"}}, Args: []Arg{{Text: "i1"}}, After: []Arg{{Text: "i2"}}}
	w, err := outer.Then(inner, "/b")
	require.NoError(t, err)
	assert.Equal(t, Wrapper{Kind: Shell, Interp: outer.Interp, Target: "/c", Chdir: "/d/e",
		Env:  []Change{{Op: Set, Name: "A", Value: "1"}, {Op: Unset, Name: "A"}},
		Args: []Arg{{Text: "i1"}, {Text: "o1"}}, After: []Arg{{Text: "o2"}, {Text: "i2"}}}, w)

	for _, test := range []struct {
		name         string
		outer, inner Argv0
		kind         Kind
		want         Argv0
	}{
		{"a shell sees the path", Argv0{Inherit: true}, Argv0{Inherit: true}, Shell, Argv0{Text: "/b"}},
		{"a program sees the name", Argv0{Inherit: true}, Argv0{Inherit: true}, Binary, Argv0{Inherit: true}},
		{"that it was given", Argv0{Text: "x"}, Argv0{Inherit: true, Resolve: true}, Binary, Argv0{Text: "x", Resolve: true}},
		{"which is the path without one", Argv0{}, Argv0{Inherit: true}, Binary, Argv0{Text: "/b"}},
		{"the last one says", Argv0{Text: "x"}, Argv0{Text: "y"}, Binary, Argv0{Text: "y"}},
		{"or takes its own", Argv0{Text: "x"}, Argv0{}, Shell, Argv0{}},
	} {
		w, err := Wrapper{Kind: Shell, Argv0: test.outer}.Then(Wrapper{Kind: test.kind, Argv0: test.inner}, "/b")
		require.NoError(t, err)
		assert.Equal(t, test.want, w.Argv0, test.name)
	}

	inner.Drop = true
	w, err = outer.Then(inner, "/b")
	require.NoError(t, err)
	assert.Equal(t, []Arg{{Text: "i1"}}, w.Args)
	assert.Equal(t, []Arg{{Text: "i2"}}, w.After)

	outer.Args = []Arg{{Text: "${X:+${A}}", Shell: true}}
	inner.Drop = false
	_, err = outer.Then(inner, "/b")
	assert.ErrorContains(t, err, "changes A")
	outer.Args = []Arg{{Text: "*.conf", Shell: true}}
	_, err = outer.Then(inner, "/b")
	assert.ErrorContains(t, err, "goes to a folder")
}

func TestStartedBy(t *testing.T) {
	w, err := Parse([]byte("#!/usr/bin/env -S A=1 /bin/py -u\nprint\n"))
	require.NoError(t, err)
	got, err := w.StartedBy("/opt/x.py")
	require.NoError(t, err)
	assert.Equal(t, "/bin/py", got.Target)
	assert.Equal(t, []Change{{Op: Set, Name: "A", Value: "1"}}, got.Env)
	assert.Equal(t, []Arg{{Text: "-u"}, {Text: "/opt/x.py"}}, got.Args)
}
