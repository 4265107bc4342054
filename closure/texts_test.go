package closure_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/nixbundle/nixbundle/closure"
)

func TestVisible(t *testing.T) {
	for text, want := range map[string]string{
		"":                      "",
		"libfoo.so.1":           "libfoo.so.1",
		"größe–1":               "größe–1",
		"a\x1b[31mb\n":          `a\x1b[31mb\n`,
		"\xff":                  `\xff`,
		`"quoted" \n`:           `"quoted" \n`,
		"\u202eright to left":   `\u202eright to left`,
		"tab\there, del\x7fend": `tab\there, del\x7fend`,
	} {
		assert.Equal(t, want, closure.Visible(text))
	}
}
