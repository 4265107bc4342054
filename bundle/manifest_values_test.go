package bundle

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestManifestValues: the values that are read are those of the schema, which a test of it holds to the Go types.
func TestManifestValues(t *testing.T) {
	text, err := os.ReadFile("../cmd/schema/defs.json")
	require.NoError(t, err)
	type values struct {
		Enum       []string
		Properties map[string]struct{ Enum []string }
	}
	var defs map[string]values
	require.NoError(t, json.Unmarshal(text, &defs))
	require.ElementsMatch(t, defs["strategy"].Enum, texts(strategies))
	require.ElementsMatch(t, defs["mentionKind"].Enum, texts(mentionKinds))
	require.ElementsMatch(t, defs["edit"].Properties["what"].Enum, changes)
	require.ElementsMatch(t, append(defs["setup"].Properties["kind"].Enum, ""), texts(wrapperKinds))
	require.ElementsMatch(t, defs["variable"].Properties["op"].Enum, texts(wrapperOps))
	require.ElementsMatch(t, append(defs["variable"].Properties["join"].Enum, ""), texts(wrapperJoins))
}

func texts[T ~string](list []T) (all []string) {
	for _, v := range list {
		all = append(all, string(v))
	}
	return all
}
