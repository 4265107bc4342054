package cmd_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/closure"
)

// Every help topic is printed by help, is on the list of topics, and has a title that fits on it.
func TestTopics(t *testing.T) {
	files, err := filepath.Glob("topics/*.md")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	list, _, status := run("help", "topics")
	require.Zero(t, status)
	for _, f := range files {
		text, err := os.ReadFile(f)
		require.NoError(t, err)
		name := strings.TrimSuffix(filepath.Base(f), ".md")
		title, _, _ := strings.Cut(string(text), "\n")
		require.True(t, strings.HasPrefix(title, "# "+name+": "), title)
		require.Contains(t, list, strings.TrimPrefix(title, "# "+name+": "))
		got, _, status := run("help", name)
		require.Zero(t, status)
		require.Contains(t, got, string(text))
	}
}

// What the topics refer to is there: verbs, topics, and options.
func TestTopicsReferToWhatIs(t *testing.T) {
	files, err := filepath.Glob("topics/*.md")
	require.NoError(t, err)
	command := regexp.MustCompile("`nixbundle ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?")
	for _, f := range append(files, "../README.md") {
		text, err := os.ReadFile(f)
		require.NoError(t, err)
		for _, m := range command.FindAllStringSubmatch(string(text), -1) {
			_, stderr, status := run("help", m[1])
			require.Zero(t, status, "%s: nixbundle %s: %s", f, m[1], stderr)
			if m[1] == "help" {
				_, stderr, status := run("help", m[2])
				require.Zero(t, status, "%s: %s: %s", f, m[0], stderr)
			}
		}
	}
}

// The topic findings tells of every kind of finding there is, and how grave it can be.
func TestFindingsAreTold(t *testing.T) {
	text, err := os.ReadFile("topics/findings.md")
	require.NoError(t, err)
	told := map[string]string{}
	for _, line := range regexp.MustCompile("(?m)^- `.*(\n  .*)*").FindAllString(string(text), -1) {
		head, _, colon := strings.Cut(line, ": ")
		require.True(t, colon, line)
		for _, m := range regexp.MustCompile("`([a-z-]+)`(?: \\((\\w+)\\))?").FindAllStringSubmatch(head, -1) {
			require.NotContains(t, told, m[1])
			told[m[1]] = m[2]
		}
	}
	for _, k := range closure.Kinds() {
		require.Equal(t, k.Severity.String(), told[string(k.Kind)], k.Kind)
		delete(told, string(k.Kind))
	}
	require.Empty(t, told, "no kinds of findings")
}

// The messages that the topic troubleshooting explains as ours are ones that we say.
func TestTroubleshootingQuotesUs(t *testing.T) {
	text, err := os.ReadFile("topics/troubleshooting.md")
	require.NoError(t, err)
	var source strings.Builder
	notSaid := regexp.MustCompile(`(?m)//.*$|^.*Var\w*\(.*$`) // comments, and what flags tell of themselves
	for _, glob := range []string{"../bundle/*.go", "../bundle/trial/*.go", "../closure/*.go", "../closure/wrapper/*.go", "*.go", "../elfpatch/stub/src/*.c"} {
		files, err := filepath.Glob(glob)
		require.NoError(t, err)
		for _, f := range files {
			if strings.HasSuffix(f, "_test.go") {
				continue
			}
			data, err := os.ReadFile(f)
			require.NoError(t, err)
			source.Write(notSaid.ReplaceAll(data, nil))
		}
	}
	_, ours, ok := strings.Cut(string(text), "## When bundling")
	require.True(t, ok)
	quoted := 0
	for _, m := range regexp.MustCompile("(?m)^`.*\n: ").FindAllString(ours, -1) {
		for _, message := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(m, -1) {
			for _, part := range strings.Split(strings.TrimPrefix(message[1], "FILE: "), "...") {
				if part = strings.Trim(part, " :,"); part != "" && !strings.HasPrefix(part, "-") {
					part, _, _ = strings.Cut(part, ", glibc 2.31")
					require.True(t, strings.Contains(source.String(), part), "%q of %q", part, m)
					quoted++
				}
			}
		}
	}
	require.Greater(t, quoted, 8)
	for _, m := range regexp.MustCompile("`nixbundle: \\.\\.\\.: ([^`]+)`").FindAllStringSubmatch(string(text), -1) {
		require.True(t, strings.Contains(source.String(), m[1]), m[1])
	}
}
