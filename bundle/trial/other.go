//go:build !linux

package trial

import (
	"context"

	"github.com/nixbundle/nixbundle/bundle"
)

var errLinux = &Error{What: "programs of a bundle are run on Linux only", Do: "leave --run out"}

// Run runs nothing here.
func Run(context.Context, string, *bundle.Verification, Options) (*Result, error) {
	return nil, errLinux
}

// Inside is not called here.
func Inside(string) int { return 1 }
