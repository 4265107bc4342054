package cmd_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// verbs are all verbs, and all topics, as the first screen of the help lists them.
func verbs(t *testing.T) (verbs, topics []string) {
	t.Helper()
	screen, stderr, status := run("--help")
	require.Zero(t, status)
	require.Empty(t, stderr)
	inTopics, in := false, false
	for _, line := range strings.Split(screen, "\n") {
		switch {
		case strings.HasPrefix(line, "Make a bundle:"):
			in = true
		case strings.HasPrefix(line, "Topics"):
			inTopics = true
		case strings.HasPrefix(line, "Flags"):
			in = false
		case in && strings.HasPrefix(line, "  "):
			name := strings.Fields(line)[0]
			if inTopics {
				topics = append(topics, name)
			} else {
				verbs = append(verbs, name)
			}
		}
	}
	require.Greater(t, len(verbs), 12)
	require.Contains(t, topics, "machines")
	return verbs, topics
}

// TestHelp: the first screen is one, everything on it has a help of its own, and no line is too wide to be
// read.
func TestHelp(t *testing.T) {
	verbs, topics := verbs(t)
	screen, _, _ := run("--help")
	require.Less(t, strings.Count(screen, "\n"), 60)
	texts := map[string]string{"": screen}
	for _, name := range append(verbs, topics...) {
		text, stderr, status := run("help", name)
		require.Zero(t, status)
		require.Empty(t, stderr)
		texts[name] = text
		if name == "patchelf" {
			continue // --help is patchelf's
		}
		again, _, status := run(name, "--help")
		require.Zero(t, status)
		require.Equal(t, text, again)
	}
	for name, text := range texts {
		fenced := false // in a session, which is as wide as it is; so is a command
		for _, line := range strings.Split(text, "\n") {
			if fenced = fenced != strings.HasPrefix(line, "```"); fenced || slices.Contains(topics, name) && strings.HasPrefix(line, "    ") {
				continue
			}
			require.LessOrEqual(t, len([]rune(line)), 100, "%s: %s", name, line)
		}
		require.True(t, name == "" || len(text) > 100, name)
	}
	for _, name := range verbs {
		require.Contains(t, texts[name], "\nUsage:\n  nixbundle "+name, name)
		require.True(t, name == "help" || name == "patchelf" || strings.Contains(texts[name], "Exit status: 0 done, 1 failed"), name)
	}
	same, _, _ := run("help")
	require.Equal(t, screen, same)

	_, stderr, status := run("help", "nothing")
	require.Equal(t, 2, status)
	require.Equal(t, "nixbundle: no verb and no topic is called nothing\nhint: see nixbundle --help\n", stderr)
	_, _, status = run("completion", "tcsh")
	require.Equal(t, 2, status)
}
