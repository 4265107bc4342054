package closure_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/closure"
)

// TestKinds: every kind of finding is told of once, in the order of the names.
func TestKinds(t *testing.T) {
	source, err := os.ReadFile("finding.go")
	require.NoError(t, err)
	var want, got []string
	for _, m := range regexp.MustCompile(`(?m)^\tKind\w+ +Kind = "([a-z-]+)"`).FindAllStringSubmatch(string(source), -1) {
		want = append(want, m[1])
	}
	slices.Sort(want)
	for _, k := range closure.Kinds() {
		got = append(got, string(k.Kind))
		require.NotEmpty(t, k.Title)
		require.True(t, strings.HasSuffix(k.What, "."), k.What)
		require.True(t, k.Help == "" || strings.HasSuffix(k.Help, "."), k.Help)
	}
	require.Equal(t, want, got)
}
