package cmd_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
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
				help, _, _ := run("help", m[2])
				require.NotContains(t, help, "Unknown help topic", "%s: %s", f, m[0])
			}
		}
	}
}

// The topic findings tells of every kind of finding there is.
func TestFindingsAreTold(t *testing.T) {
	text, err := os.ReadFile("topics/findings.md")
	require.NoError(t, err)
	source, err := os.ReadFile("../closure/finding.go")
	require.NoError(t, err)
	kinds := regexp.MustCompile(`(?m)^\tKind\w+ +Kind = "([a-z-]+)"|^\tKind\w+ += "([a-z-]+)"`).FindAllStringSubmatch(string(source), -1)
	require.Greater(t, len(kinds), 30)
	for _, k := range kinds {
		require.Regexp(t, "(?m)^- .*`"+k[1]+"`.*: ", string(text))
	}
}

// The messages that the topic troubleshooting explains as ours are ones that we say.
func TestTroubleshootingQuotesUs(t *testing.T) {
	text, err := os.ReadFile("topics/troubleshooting.md")
	require.NoError(t, err)
	var source strings.Builder
	for _, glob := range []string{"../bundle/*.go", "../bundle/trial/*.go", "../closure/*.go", "../closure/wrapper/*.go", "*.go", "../elfpatch/stub/src/*.c"} {
		files, err := filepath.Glob(glob)
		require.NoError(t, err)
		for _, f := range files {
			if strings.HasSuffix(f, "_test.go") {
				continue
			}
			data, err := os.ReadFile(f)
			require.NoError(t, err)
			source.Write(data)
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
