package closure

import (
	"strings"
	"testing"
)

func TestScriptTarget(t *testing.T) {
	const wrapped = "/nix/store/a4i6n1w5d4az4qxrzn9fx472jg3afm5f-greet-1.0/bin/.greet-wrapped"
	for _, test := range []struct{ name, text, interp, target string }{
		{"makeWrapper", `#! /nix/store/qz2jr026in9n5p82mwcjif3dgq44121p-bash-5.2.15/bin/bash -e
PATH=${PATH:+':'$PATH':'}
export PATH
exec -a "$0" "` + wrapped + `"  --config /nix/store/x/share/greeting.txt "$@"
`, "/nix/store/qz2jr026in9n5p82mwcjif3dgq44121p-bash-5.2.15/bin/bash", wrapped},
		{"single quotes", "#!/bin/sh\nexec '/a/it'\\''s b' x\n", "/bin/sh", "/a/it's b"},
		{"bare", "#!/bin/sh\nexec /opt/x \"$@\"\n", "/bin/sh", "/opt/x"},
		{"last one", "#!/bin/sh\nif a; then\n  exec /opt/a\nfi\nexec /opt/b;\n", "/bin/sh", "/opt/b"},
		{"through env", "#!/usr/bin/env bash\nexec /opt/x\n", "/usr/bin/env", "/opt/x"},
		{"variable", "#!/bin/sh\nexec \"$HERE/x\" \"$@\"\n", "/bin/sh", ""},
		{"by name", "#!/bin/sh\nexec x\n", "/bin/sh", ""},
		{"other language", "#!/usr/bin/perl\nexec /bin/sh, '-c';\n", "/usr/bin/perl", ""},
		{"no exec", "#!/bin/sh\necho hello\n", "/bin/sh", ""},
		{"open quote", "#!/bin/sh\nexec \"/opt/x\n", "/bin/sh", ""},
		{"nothing", "#!", "", ""},
	} {
		interp, target := scriptTarget([]byte(test.text))
		if interp != test.interp || target != test.target {
			t.Errorf("%s: got %q, %q, want %q, %q", test.name, interp, target, test.interp, test.target)
		}
	}
}

func TestBinaryWrapperTarget(t *testing.T) {
	const made = "\x00\n\n# The C-code for this binary wrapper has been generated using the following command:\n\n\n"
	for _, test := range []struct{ text, want string }{
		{made + "makeCWrapper '/nix/store/x/bin/.y-wrapped' \\\n    --inherit-argv0\n\x00", "/nix/store/x/bin/.y-wrapped"},
		{made + "makeCWrapper /nix/store/x/bin/y \\\n\x00", "/nix/store/x/bin/y"},
		{made + "makeCWrapper '$out/bin/y'\x00", ""},
		{"makeCWrapper '/nix/store/x/bin/y'\x00", ""},
		{made, ""},
		{"", ""},
	} {
		got, ok := binaryWrapperTarget([]byte(test.text))
		if got != test.want || ok != (test.want != "") {
			t.Errorf("%q: got %q, %v", test.text, got, ok)
		}
	}
}

func FuzzWrapper(f *testing.F) {
	f.Add([]byte("#! /bin/bash -e\nexec -a \"$0\" \"/nix/store/x/bin/.y-wrapped\"  \"$@\" \n"))
	f.Add([]byte("#!/bin/sh\nexec '/a/it'\\''s b' x\n"))
	f.Add([]byte("binary wrapper\nmakeCWrapper '/nix/store/x' \\\n\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, target := scriptTarget(data); target != "" && !strings.HasPrefix(target, "/") {
			t.Errorf("target %q", target)
		}
		if target, ok := binaryWrapperTarget(data); ok && !strings.HasPrefix(target, "/") {
			t.Errorf("target %q", target)
		}
	})
}
