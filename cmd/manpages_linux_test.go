package cmd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// needTools skips a test where a tool of Debian's is not installed.
func needTools(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			require.Empty(t, os.Getenv("CI"), "%s is not installed", name)
			t.Skipf("%s is not installed", name)
		}
	}
}

// tool runs one in the top folder and gives all that it says.
func tool(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	c := exec.Command(name, args...)
	c.Dir = ".."
	c.Env = append(os.Environ(), env...)
	out, err := c.CombinedOutput()
	require.NoError(t, err, "%s %s: %s", name, args, out)
	return string(out)
}

// words are the words of a text, without what stands between them on a page or in a help.
func words(text string) string {
	return " " + strings.Join(strings.Fields(text), " ") + " "
}

// TestManPages makes the manual, has three readers look for mistakes in it, and finds every verb's help and
// every topic on its page, word for word.
func TestManPages(t *testing.T) {
	needTools(t, "go", "mandoc", "groff", "man")
	dir := t.TempDir()
	date := []string{"SOURCE_DATE_EPOCH=1700000000"}
	tool(t, date, "go", "run", "-tags", "manpages", "./cmd/manpages", dir+"/a")
	tool(t, append(date, "TZ=Asia/Tokyo", "LC_ALL=C"), "go", "run", "-tags", "manpages", "./cmd/manpages", dir+"/b")
	tool(t, nil, "diff", "-r", dir+"/a", dir+"/b")

	linked := tool(t, nil, "go", "list", "-deps", "./cmd/nixbundle")
	require.Contains(t, linked, "github.com/nixbundle/nixbundle/bundle\n")
	require.NotContains(t, linked, "md2man", "nixbundle would start later for it")

	verbs, topics := verbs(t)
	pages := []string{"nixbundle.1"}
	for _, name := range verbs {
		if name != "help" {
			pages = append(pages, "nixbundle-"+name+".1")
		}
	}
	for _, name := range topics {
		if name != "topics" {
			pages = append(pages, "nixbundle-"+name+".7")
		}
	}
	made, err := os.ReadDir(dir + "/a")
	require.NoError(t, err)
	require.Len(t, made, len(pages))
	for _, name := range pages {
		file := filepath.Join(dir, "a", name)
		require.Empty(t, tool(t, nil, "mandoc", "-T", "lint", "-W", "warning", file), name)
		require.Empty(t, tool(t, nil, "groff", "-ww", "-man", "-z", file), name)
		wide := []string{"MANWIDTH=5000", "LC_ALL=C.UTF-8", "MAN_KEEP_FORMATTING=", "GROFF_NO_SGR=1"}
		text := tool(t, wide, "man", "--warnings", "-l", file)
		require.NotRegexp(t, `(?m)^[a-z]*roff:.*warning:`, text, name) // the text may have the word
		require.Contains(t, text, "2023-11-14", name)
		for _, section := range []string{"NAME\n       " + strings.TrimSuffix(strings.TrimSuffix(name, ".1"), ".7") + " - ", "\nSEE ALSO\n"} {
			require.Contains(t, text, section, name)
		}
		verb := strings.TrimPrefix(strings.TrimSuffix(name, ".1"), "nixbundle-")
		if strings.HasSuffix(name, ".1") && verb != "nixbundle" {
			holdsHelp(t, verb, text)
		}
	}
	bundle := tool(t, []string{"MANWIDTH=80", "LC_ALL=C.UTF-8"}, "man", "-l", filepath.Join(dir, "a/nixbundle-bundle.1"))
	require.Regexp(t, `(?m)^       --interp decides how programs find their loader, ld.so:\n\n       auto   static programs need none;`, bundle)
	require.Regexp(t, `(?m)^       wrapper\n              the bundle brings both; `, bundle)
	require.Regexp(t, `(?m)^       -o, --output FILE\n              FILE to write: `, bundle)
}

// holdsHelp holds a page against the help of its verb: paragraphs of the text, flags and examples.
func holdsHelp(t *testing.T, verb, page string) {
	t.Helper()
	help, _, status := run("help", verb)
	require.Zero(t, status)
	text, rest, ok := strings.Cut(help, "\nUsage:\n")
	require.True(t, ok, verb)
	text, _, _ = strings.Cut(text, "\nExit status: ")
	for _, paragraph := range strings.Split(text, "\n\n") {
		require.Contains(t, words(page), words(paragraph), verb)
	}
	for _, flag := range regexp.MustCompile(`(?m)^ +(?:-., )?(--[a-z-]+)`).FindAllStringSubmatch(rest, -1) {
		require.Contains(t, page, flag[1], verb)
	}
	_, examples, _ := strings.Cut(rest, "Examples:\n")
	examples, _, _ = strings.Cut(examples, "\nFlags")
	require.Contains(t, words(page), words(examples), verb)
}

// TestInstall installs below a folder, looks with the tools that will look there, and takes all away again.
func TestInstall(t *testing.T) {
	needTools(t, "go", "make", "man")
	dir := t.TempDir()
	tool(t, nil, "make", "-s", "install", "DESTDIR="+dir, "PREFIX=/usr")
	installed := strings.Fields(tool(t, nil, "find", dir, "-type", "f", "-printf", "%P:%m\n"))
	for _, want := range []string{
		"usr/bin/nixbundle:755", "usr/share/man/man1/nixbundle.1:644", "usr/share/man/man1/nixbundle-bundle.1:644",
		"usr/share/man/man7/nixbundle-machines.7:644", "usr/share/bash-completion/completions/nixbundle:644",
		"usr/share/zsh/site-functions/_nixbundle:644", "usr/share/fish/vendor_completions.d/nixbundle.fish:644",
	} {
		require.Contains(t, installed, want)
	}
	require.NotContains(t, strings.Join(installed, "\n"), "patchelf:", "it would hide a system's own")
	require.Contains(t, tool(t, nil, dir+"/usr/bin/nixbundle", "--version"), "nixbundle version")
	require.Contains(t, tool(t, []string{"MANPATH=" + dir + "/usr/share/man"}, "man", "nixbundle-verify"), "Prove that a bundle will run")
	for shell, name := range map[string]string{"bash": "bash-completion/completions/nixbundle", "zsh": "zsh/site-functions/_nixbundle", "fish": "fish/vendor_completions.d/nixbundle.fish"} {
		script, _, _ := run("completion", shell)
		file, err := os.ReadFile(dir + "/usr/share/" + name)
		require.NoError(t, err)
		require.Equal(t, script, string(file))
	}
	tool(t, nil, "make", "-s", "uninstall", "DESTDIR="+dir, "PREFIX=/usr")
	require.Empty(t, tool(t, nil, "find", dir, "-type", "f"))
}
