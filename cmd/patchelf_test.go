package cmd_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nixbundle/nixbundle/cmd"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
	"github.com/stretchr/testify/require"
)

// runPatchelf runs the program under the name patchelf.
func runPatchelf(args ...string) (stdout, stderr string, status int) {
	var out, errs bytes.Buffer
	status, err := runCommand(cmd.World{
		Args: append([]string{"/usr/bin/patchelf"}, args...), Stdout: &out, Stderr: &errs, Getenv: func(string) string { return "" },
	})
	if err != nil {
		panic(err)
	}
	return out.String(), errs.String(), status
}

// What it prints of real files is what patchelf prints.
func TestPatchelfPrints(t *testing.T) {
	const tool = "/usr/bin/patchelf" // in PATH the scripts' own comes first
	if _, err := os.Stat(tool); err != nil {
		require.Empty(t, os.Getenv("CI"), err)
		t.Skip(err)
	}
	var files []string
	for _, pattern := range []string{"/usr/bin/*", "/usr/lib/*-linux-*/*.so*", "/usr/lib/gcc/*/*/*.o", "/usr/*-linux-gnu*/lib/*.so*"} {
		found, _ := filepath.Glob(pattern)
		found = slices.DeleteFunc(found, func(name string) bool { // patchelf reads a file whole, each time
			st, err := os.Stat(name)
			return err != nil || st.Size() > 4<<20
		})
		step := max(1, len(found)/25)
		for i := 0; i < len(found); i += step {
			files = append(files, found[i])
		}
	}
	compared := 0
	for _, name := range files {
		for _, flag := range []string{"--print-needed", "--print-rpath", "--print-soname", "--print-interpreter"} {
			c := exec.Command(tool, flag, name)
			var theirs, theirErr bytes.Buffer
			c.Stdout, c.Stderr = &theirs, &theirErr
			failed := c.Run() != nil
			if failed && strings.Contains(theirErr.String(), "no section headers") {
				continue // which are not needed
			}
			ours, ourErr, status := runPatchelf(flag, name)
			require.Equal(t, failed, status != 0, "%s %s: %s%s", flag, name, &theirErr, ourErr)
			require.Equal(t, theirs.String(), ours, "%s %s", flag, name)
			if failed {
				require.Equal(t, firstWords(theirErr.String()), firstWords(ourErr), name)
			}
			compared++
		}
	}
	require.NotZero(t, compared)
}

func firstWords(s string) string {
	words := strings.Fields(s)
	return strings.TrimSuffix(strings.Join(words[:min(4, len(words))], " "), ".")
}

// A damaged file is one line on standard error, exit status 1, and left alone.
func TestPatchelfDamaged(t *testing.T) {
	im := elftest.Image{
		Interp: "/lib64/ld-linux-x86-64.so.2", Needed: []string{"libc.so.6"}, RunPath: "/opt/lib",
		Symbols: []elftest.Symbol{{Name: "puts", Undefined: true, Version: "GLIBC_2.2.5"}},
	}
	sound := im.Bytes()
	files := map[string][]byte{
		"empty": nil, "text": []byte("#!/bin/sh\n"), "magic": []byte(elf.ELFMAG),
		"object": elftest.Image{Type: elf.ET_REL}.Bytes(),
		"static": elftest.Image{Static: true}.Bytes(),
	}
	put := func(name string, edit func(b []byte)) {
		b := slices.Clone(sound)
		edit(b)
		files[name] = b
	}
	put("wrong byte order", func(b []byte) { b[elf.EI_DATA] = byte(elf.ELFDATA2MSB) })
	put("wrong class", func(b []byte) { b[elf.EI_CLASS] = byte(elf.ELFCLASS32) })
	put("huge count", func(b []byte) { binary.LittleEndian.PutUint16(b[56:], 0xfffe) })
	put("headers outside", func(b []byte) { binary.LittleEndian.PutUint64(b[32:], 1<<62) })
	for _, n := range []int{20, 64, 100, 400, 900} {
		files["cut at "+string(rune('0'+n/100))] = sound[:n]
	}
	random := rand.New(rand.NewSource(1))
	for i := range 300 {
		b := slices.Clone(sound)
		for range 1 + random.Intn(4) {
			b[random.Intn(len(b))] = byte(random.Intn(256))
		}
		files["random "+string(rune('a'+i%26))+string(rune('a'+i/26))] = b
	}
	for name, b := range files {
		at := filepath.Join(t.TempDir(), "file")
		require.NoError(t, os.WriteFile(at, b, 0o755))
		_, stderr, status := runPatchelf("--set-rpath", "/a/longer/path/than/before", "--print-needed", "--add-needed", "libx.so", at)
		if status == 0 {
			require.True(t, strings.HasPrefix(name, "random"), name)
			continue
		}
		require.Equal(t, 1, status, name)
		require.Regexp(t, `^patchelf: [^\n]+\n$`, stderr, name)
		left, err := os.ReadFile(at)
		require.NoError(t, err)
		require.True(t, bytes.Equal(b, left), "%s: the file was touched", name)
	}
}

// What is shorter than any ELF header is told apart from what is something else, in patchelf's words.
func TestPatchelfShort(t *testing.T) {
	for content, want := range map[string]string{
		"":                                   "patchelf: missing ELF header\n",
		"#!/bin/sh\n":                        "patchelf: missing ELF header\n",
		strings.Repeat("x", 51):              "patchelf: missing ELF header\n",
		strings.Repeat("x", 52):              "patchelf: not an ELF executable\n",
		string(elftest.Image{}.Bytes()[:60]): "patchelf: missing ELF header",
	} {
		at := filepath.Join(t.TempDir(), "file")
		require.NoError(t, os.WriteFile(at, []byte(content), 0o644))
		_, stderr, status := runPatchelf("--print-rpath", at)
		require.Equal(t, 1, status)
		require.Contains(t, stderr, want)
	}
}

// The order of flags does not matter.
func TestPatchelfOrder(t *testing.T) {
	sound := elftest.Image{
		Interp: "/lib64/ld-linux-x86-64.so.2", Needed: []string{"liba.so", "libb.so", "libc.so.6"}, RunPath: "/opt/lib",
		Symbols: []elftest.Symbol{{Name: "one", Undefined: true}, {Name: "two"}, {Name: "three"}},
	}.Bytes()
	names := filepath.Join(t.TempDir(), "names")
	require.NoError(t, os.WriteFile(names, []byte("two zwei\nthree drei\n"), 0o644))
	flags := [][]string{
		{"--set-rpath", "$ORIGIN/../lib:/another/one"}, {"--force-rpath"}, {"--remove-needed", "liba.so"}, {"--add-needed", "libz.so.1"},
		{"--replace-needed", "libb.so", "libbb.so.2"}, {"--set-interpreter", "/a/very/long/path/of/a/loader/ld.so"}, {"--no-default-lib"},
		{"--set-execstack"}, {"--add-debug-tag"}, {"--rename-dynamic-symbols", names}, {"--set-soname", "libsound.so.5"},
		{"--set-os-abi", "linux"}, {"--clear-symbol-version", "one"},
	}
	random := rand.New(rand.NewSource(1))
	var want []byte
	for range 20 {
		random.Shuffle(len(flags), func(i, j int) { flags[i], flags[j] = flags[j], flags[i] })
		at := filepath.Join(t.TempDir(), "file")
		require.NoError(t, os.WriteFile(at, sound, 0o755))
		_, stderr, status := runPatchelf(append(slices.Concat(flags...), at)...)
		require.Zero(t, status, stderr)
		got, err := os.ReadFile(at)
		require.NoError(t, err)
		if want == nil {
			want = got
			require.NotEqual(t, sound, got)
		}
		require.True(t, bytes.Equal(want, got), "%q", flags)
	}
}
