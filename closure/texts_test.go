package closure_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/nixbundle/nixbundle/closure"
)

func TestBehind(t *testing.T) {
	for _, test := range []struct{ name, sentence, want string }{
		{"a/bin/a", "a/bin/a ended with exit status 1", "ended with exit status 1"},
		{"a/bin/a", "a/bin/a: damaged ELF file", "damaged ELF file"},
		{"a/bin/a", "what binds to a/bin/a is not known", "what binds to a/bin/a is not known"},
		{"liba.so", "liba.so.1 is not there", "liba.so.1 is not there"},
		{"liba.so", "liba.so, libb.so and libc.so each have one", "liba.so, libb.so and libc.so each have one"},
		{"liba.so", "liba.so and libb.so are one file", "liba.so and libb.so are one file"},
		{"liba.so", "liba.so", "liba.so"},
		{"", "it ends", "it ends"},
	} {
		assert.Equal(t, test.want, closure.Behind(test.name, test.sentence))
	}
}

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
