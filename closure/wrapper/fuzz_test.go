package wrapper

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// corpus are texts of every form, some of them cut.
func corpus() (texts [][]byte) {
	add := func(body string) { texts = append(texts, []byte("#! /bin/bash -e\n"+body+"\n")) }
	for _, form := range forms {
		for _, sep := range []string{":", "'", "\n"} {
			for _, value := range hostile {
				text := form("X", sep, value) + "\nexec -a \"$0\" \"/opt/x\" ${A:+${B:+--x=%ROO}} \"$@\" 'z'"
				add(text)
				add(text[:len(text)/2])
			}
		}
	}
	for _, text := range []string{"", "x", "exec", "exec -a", "A=", "A=$", "A=${", "A=${B", "A=${B:+${B:+", `A="`, `A=\`, "A=$'\\", "if [[ a", ";;", "cd", "set", ": ${A:=b}${B}",
		"export", "unset", ": $", "exec /x \"${A:+\"}\"", "A=" + strings.Repeat("${A:-", 40), "[[", "A=~", "exec '%ROOT%'"} {
		add(text)
	}
	return append(texts, []byte("#!"), []byte("#!/usr/bin/env -S 'a"), []byte(documented("'/x' \\\n    --prefix 'P' ':' $'a\\n'")), []byte(documented("'/x' \\\n    --add-flags 'a")))
}

// TestValid has a shell read what is written of every text that is understood.
func TestValid(t *testing.T) {
	var all strings.Builder
	n := 0
	for _, text := range corpus() {
		w, err := Parse(text)
		if err == nil && w.Kind == Shell {
			all.WriteString("f() {\n" + w.Setup() + "g " + w.Arguments() + "\n}\n")
			n++
		}
	}
	require.Greater(t, n, len(forms)*3*len(hostile)*3/4)
	for _, shell := range shells() {
		cmd := exec.Command(shell[0], append(shell[1:len(shell):len(shell)], "-n")...)
		cmd.Stdin = strings.NewReader(all.String())
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%q: %s", shell, out)
	}
}

// FuzzParse reads anything. What is understood starts an absolute path, is written without a NUL and is
// read again as the same arguments.
func FuzzParse(f *testing.F) {
	for _, text := range corpus() {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		w, err := Parse(data)
		b, ok, err2 := ParseBinary(data)
		for _, w := range []*Wrapper{w, b} {
			if w == nil {
				continue
			}
			if w.Kind != Script && !strings.HasPrefix(w.Target, "/") {
				t.Errorf("starts %q", w.Target)
			}
			if strings.Contains(w.Setup()+w.Arguments(), "\x00") {
				t.Error("a NUL")
			}
			for _, c := range w.Env {
				c.apply("a:b", true)
			}
			for _, a := range append(w.Args, w.After...) {
				if again := (Arg{Text: a.sh(), Shell: true}).sh(); a.Shell && again != a.sh() {
					t.Errorf("%q is written as %q, and that as %q", a.Text, a.sh(), again)
				}
			}
			next, err := w.StartedBy("/w")
			if err == nil && next.Target != "" {
				_, _ = next.Then(next, "/w")
			}
		}
		if b == nil && ok && err2 == nil || w == nil && err == nil {
			t.Error("neither a wrapper nor an error")
		}
	})
}
