package closure

import (
	"strings"
	"testing"
)

func TestParseStorePath(t *testing.T) {
	const digest = "a4i6n1w5d4az4qxrzn9fx472jg3afm5f"
	const base = "/nix/store/" + digest + "-"
	for _, test := range []struct {
		path, name, rest string
		ok               bool
	}{
		{base + "zlib-1.2.13", "zlib-1.2.13", "", true},
		{base + "zlib-1.2.13/", "zlib-1.2.13", "/", true},
		{base + "zlib-1.2.13/lib/libz.so.1", "zlib-1.2.13", "/lib/libz.so.1", true},
		{base + "a+b_c?d=e.f", "a+b_c?d=e.f", "", true},
		{base + ".hidden", ".hidden", "", true},
		{base + ".", "", "", false},
		{base + "..-x", "", "", false},
		{base + "a b", "", "", false},
		{base + "a\nb", "", "", false},
		{base, "", "", false},
		{base + strings.Repeat("x", 211), strings.Repeat("x", 211), "", true},
		{base + strings.Repeat("x", 212), "", "", false},
		{"/nix/store/" + digest, "", "", false},
		{"/nix/store/" + digest[1:] + "-zlib", "", "", false},
		{"/nix/store/e" + digest[1:] + "-zlib", "", "", false}, // e, o, t and u are no digits
		{"/nix/store/" + strings.ToUpper(digest) + "-zlib", "", "", false},
		{"/nix/store", "", "", false},
		{"/nix/storeX/" + digest + "-zlib", "", "", false},
		{"/usr/lib", "", "", false},
	} {
		sp, rest, ok := ParseStorePath("/nix/store", test.path)
		if ok != test.ok || ok && (sp.Name != test.name || rest != test.rest || sp.Digest != digest) {
			t.Errorf("%q: got %+v, %q, %v", test.path, sp, rest, ok)
		}
		if ok && sp.String()+rest != test.path {
			t.Errorf("%q: %s + %q", test.path, sp, rest)
		}
	}
	if sp, _, ok := ParseStorePath("/opt/store/", "/opt/store/"+digest+"-x"); !ok || sp.Dir != "/opt/store" {
		t.Errorf("other store: %+v, %v", sp, ok)
	}
}

// TestDrvName: the examples of Nix's manual for builtins.parseDrvName, and names seen.
func TestDrvName(t *testing.T) {
	for _, test := range []struct{ name, pname, version string }{
		{"nix-0.12pre12876", "nix", "0.12pre12876"},
		{"firefox", "firefox", ""},
		{"protobuf-aarch64-unknown-linux-gnu-3.21.9", "protobuf-aarch64-unknown-linux-gnu", "3.21.9"},
		{"zlib-1.2.13-dev", "zlib", "1.2.13-dev"},
		{"gcc-wrapper-12", "gcc-wrapper", "12"},
		{"a-", "a-", ""},
		{"a--b", "a", "-b"},
	} {
		sp := StorePath{Name: test.name}
		if sp.PName() != test.pname || sp.Version() != test.version {
			t.Errorf("%s: got %q, %q", test.name, sp.PName(), sp.Version())
		}
	}
}
