package closure_test

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// scan gives a file to a scanner in pieces of the lengths that next gives.
func scan(t testing.TB, s *closure.Scanner, file []byte, next func() int) []closure.Found {
	t.Helper()
	for len(file) > 0 {
		n := min(max(next(), 0), len(file))
		got, err := s.Write(file[:n:n])
		require.NoError(t, err)
		require.Equal(t, n, got)
		file = file[n:]
	}
	found, err := s.Finish()
	require.NoError(t, err)
	return found
}

func scanAll(t testing.TB, file string) []closure.Found {
	t.Helper()
	return scan(t, closure.NewScanner(""), []byte(file), func() int { return len(file) })
}

var (
	zlib  = elftest.StorePath("zlib-1.3")
	model = elftest.StorePath("face-model-1.0")
	gone  = elftest.StorePath("gone-dev")
)

// upper and blanked are what nixpkgs makes of paths that shall be no references.
func upper(p string) string { return p[:11] + strings.ToUpper(p[11:43]) + p[43:] }

func blanked(p string) string { return p[:11] + strings.Repeat("e", 32) + p[43:] }

// TestScanText: where a path begins, where its text ends, and when it is a string of its own.
func TestScanText(t *testing.T) {
	long := strings.Repeat("/long", 1000)
	for _, test := range []struct {
		name, file string
		texts      []string
		whole      bool
	}{
		{"c_string", "x\x00" + zlib + "/lib/libz.so\x00y", []string{zlib + "/lib/libz.so"}, true},
		{"first_of_the_file", zlib + "\x00", []string{zlib}, true},
		{"last_of_the_file", "\x00" + zlib, []string{zlib}, false},
		{"behind_something", "-L" + zlib + "/lib\x00", []string{zlib + "/lib"}, false},
		{"a_line", "a\n" + zlib + "/lib b\nc", []string{zlib + "/lib b"}, false},
		{"a_list", "\x00" + zlib + "/lib:" + model + "/lib\x00", []string{zlib + "/lib:", model + "/lib"}, false},
		{"names_of_other_bytes", "\x00" + zlib + "/größe x\x00", []string{zlib + "/größe x"}, true},
		{"bytes_that_are_no_text", "\x00" + zlib + "/a\xff\x00", []string{zlib + "/a"}, false},
		{"as_long_as_a_path", "\x00" + zlib + long[:4095-len(zlib)] + "\x00", []string{zlib + long[:4095-len(zlib)]}, true},
		{"longer_than_a_path", "\x00" + zlib + long + "\x00", []string{zlib + long[:4095-len(zlib)]}, false},
		{"in_capitals", "\x00" + upper(zlib) + "\x00", []string{upper(zlib)}, true},
		{"blanked", "\x00" + blanked(zlib) + "\x00", []string{blanked(zlib)}, true},
		{"half_blanked", zlib[:20] + "e" + zlib[21:], nil, false},
		{"no_digest", "/nix/store/zlib-1.3/lib", nil, false},
		{"short_digest", "/nix/store/" + zlib[12:], nil, false},
		{"no_name", zlib[:44] + "\x00" + zlib[:44] + "/x " + zlib[:43] + zlib[:44], nil, false},
		{"prefix_twice", "/nix/store/" + zlib, []string{zlib}, false},
		{"prefix_in_a_prefix", "/nix/store" + zlib, []string{zlib}, false},
		{"other_store", "/gnu/store/" + zlib[11:], nil, false},
		{"store_in_a_store", "\x00" + zlib + zlib + "/x\x00", []string{zlib, zlib + "/x"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			var texts []string
			whole := true
			for _, f := range scanAll(t, test.file) {
				texts, whole = append(texts, f.Text), whole && f.Whole
				assert.Equal(t, f.Text, test.file[f.Off:int(f.Off)+len(f.Text)])
			}
			assert.Equal(t, test.texts, texts)
			if texts != nil {
				assert.Equal(t, test.whole, whole)
			}
		})
	}
}

// TestScanOtherStore: the store may be anywhere.
func TestScanOtherStore(t *testing.T) {
	for _, dir := range []string{"/opt/my store", "/opt/my store/", "/s"} {
		at := strings.TrimRight(dir, "/") + zlib[10:]
		found := scan(t, closure.NewScanner(dir), []byte("\x00"+at+"\x00"+zlib+"\x00"), func() int { return 5 })
		assert.Equal(t, []closure.Found{{Off: 1, Text: at, Whole: true}}, found, dir)
	}
}

// scanPieces are what files for the next test are made of: whole and broken paths, and what may end them.
func scanPieces() []string {
	return []string{
		zlib, model + "/share/models/face.onnx", gone, "/nix/store/", "/nix/store", "/nix", "/", zlib[:30], zlib[:43],
		zlib[:44], upper(gone), blanked(gone), "\x00", "\x00", "\x00", "\n", " ", "e", "\xff", "ö", strings.Repeat("x", 300), ":",
	}
}

// TestScanPieces: however a file is cut, the same is found.
func TestScanPieces(t *testing.T) {
	pieces, rng := scanPieces(), rand.New(rand.NewPCG(1, 2))
	s, total := closure.NewScanner(""), 0
	for range 2000 {
		var file []byte
		for range rng.IntN(30) {
			file = append(file, pieces[rng.IntN(len(pieces))]...)
		}
		want := scanAll(t, string(file))
		total += len(want)
		most := 1 + rng.IntN(1<<rng.IntN(13))
		got := scan(t, s, file, func() int { return rng.IntN(most + 1) })
		require.Equal(t, want, got, "pieces of up to %d of %q", most, file)
	}
	assert.Greater(t, total, 5000)
}

// TestScanEveryCut cuts files in two at every place.
func TestScanEveryCut(t *testing.T) {
	long := strings.Repeat("/long", 1000)
	for want, text := range map[int]string{
		4: "x\x00" + zlib + "/lib:" + model + "\n\x00" + gone + "/include/a.h\x00" + zlib + zlib[:44],
		1: "\x00" + zlib + long + "\x00",
		2: "\x00" + zlib + long[:4095-len(zlib)] + "\x00" + zlib + "/x",
		3: "\x00" + zlib + long[:4090-len(zlib)] + zlib + long[:4094-len(zlib)] + zlib,
	} {
		file := []byte(text)
		all := scanAll(t, text)
		require.Len(t, all, want)
		s := closure.NewScanner("")
		for cut := range file {
			n := cut
			require.Equal(t, all, scan(t, s, file, func() int { k := n; n = len(file); return k }), cut)
		}
	}
}

// FuzzScanner: what is found is in the file, in order, and does not depend on where the file is cut; nothing
// that one can see is missing.
func FuzzScanner(f *testing.F) {
	f.Add([]byte("x\x00"+zlib+"/lib:"+model+"\x00"), uint16(7))
	f.Add([]byte(zlib+zlib[:43]+upper(gone)+"/nix/store/"+blanked(gone)), uint16(1))
	f.Fuzz(func(t *testing.T, file []byte, size uint16) {
		want := scanAll(t, string(file))
		require.Equal(t, want, scan(t, closure.NewScanner(""), file, func() int { return int(size) + 1 }))
		seen := map[int64]bool{}
		for _, found := range want {
			require.True(t, bytes.HasPrefix(file[found.Off:], []byte(found.Text)))
			seen[found.Off] = true
		}
		for at := range file {
			_, _, ok := closure.ParseStorePath("/nix/store", firstName(file[at:]))
			require.True(t, !ok || seen[int64(at)], "at %d of %q", at, file)
		}
	})
}

// firstName is the store path that may begin a text, without what follows.
func firstName(b []byte) string {
	if len(b) < 45 {
		return ""
	}
	return string(b[:45])
}

// TestScanNoAllocs: the packer runs a scanner over every byte that it packs.
func TestScanNoAllocs(t *testing.T) {
	s, file := closure.NewScanner(""), bytes.Repeat([]byte("nothing of /nix/store/ here\x00/nix/"), 1000)
	all := func() {
		for at := 0; at < len(file); at += 1003 {
			_, _ = s.Write(file[at:min(len(file), at+1003)])
		}
		found, _ := s.Finish()
		if found != nil {
			t.Fatal("found something")
		}
	}
	all()
	assert.Zero(t, testing.AllocsPerRun(10, all))
}

// TestScanTooMany: a file of paths alone is refused, and does not fill the memory.
func TestScanTooMany(t *testing.T) {
	s, block := closure.NewScanner(""), []byte(strings.Repeat(zlib, 1024))
	var err error
	for i := 0; i < 1025 && err == nil; i++ {
		_, err = s.Write(block)
	}
	require.ErrorContains(t, err, "more than 1048576 paths")
	_, err = s.Finish()
	require.Error(t, err)
	found, err := s.Finish()
	require.NoError(t, err, "the next file")
	assert.Empty(t, found)
}

// BenchmarkScanner is the scan alone, in pieces as the packer has them.
func BenchmarkScanner(b *testing.B) {
	file := make([]byte, 64<<20)
	rng := rand.NewChaCha8([32]byte{})
	_, _ = rng.Read(file)
	s := closure.NewScanner("")
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		for at := 0; at < len(file); at += 1 << 18 {
			_, _ = s.Write(file[at : at+1<<18])
		}
		_, _ = s.Finish()
	}
}
