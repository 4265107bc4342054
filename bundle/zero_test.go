package bundle_test

import (
	"context"
	"io"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/bundle"
	"github.com/nixbundle/nixbundle/closure"
)

// TestZeroValues: what a caller has not filled in is an error or nothing, and never a panic.
func TestZeroValues(t *testing.T) {
	c, err := closure.Gather(fstest.MapFS{}, nil, closure.Options{Helpers: []string{"/x"}, Libraries: []string{"/y"}}, closure.Follow{})
	require.NoError(t, err)
	for _, c := range []*closure.Closure{c, {}} {
		_, err = bundle.NewPlan(c, bundle.Options{})
		require.EqualError(t, err, "there is no program to make a bundle of")
		findings, err := closure.Check(c, closure.Machine{})
		require.NoError(t, err)
		require.Empty(t, findings)
	}
	require.ErrorContains(t, new(bundle.Plan).Prove(), "not one of NewPlan")
	_, err = bundle.Pack(context.Background(), io.Discard, &bundle.Plan{}, bundle.PackOptions{})
	require.ErrorContains(t, err, "name of a bundle")
	require.NoError(t, new(bundle.Archive).Close())
	require.Nil(t, new(closure.LinkMap).Program())
	sp, rest, ok := closure.ParseStorePath("", "/nix/store/0a3z02s7ymamvdpiiwigr35in8h9258b-zlib-1.3/lib")
	require.True(t, ok)
	require.Equal(t, []string{"/nix/store/0a3z02s7ymamvdpiiwigr35in8h9258b-zlib-1.3", "/lib"}, []string{sp.String(), rest})
}
