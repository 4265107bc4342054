package bundle_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/bundle"
	"github.com/nixbundle/nixbundle/closure"
)

// object is an object made by hand, whose bytes are read from open.
func object(name string, size int64, open func() (closure.File, error)) *closure.Object {
	return &closure.Object{Path: "/nix/store/" + name, Size: size, Mode: 0o555, Open: open}
}

// memFile is a file in memory.
type memFile struct{ io.ReaderAt }

func (memFile) Close() error { return nil }

func memObject(name string, data []byte) *closure.Object {
	return object(name, int64(len(data)), func() (closure.File, error) {
		return memFile{bytes.NewReader(data)}, nil
	})
}

// noise is n bytes that do not compress well, the same for the same seed.
func noise(seed uint64, n int) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32() & 0x3f)
	}
	return b
}

// tinyPlan is a fixed bundle of all types of entries, with a pair of equal files.
func tinyPlan() *bundle.Plan {
	lib := memObject("0c8fbmcd0zrjbghj2y7c9rp1z1mqrr4b-zlib-1.3/lib/libz.so.1.3", noise(1, 70_000))
	return planOf("tool",
		bundle.Entry{Path: "tool/bin/tool", Mode: 0o755, Data: []byte("#!/bin/sh\nexec true\n")},
		bundle.Entry{Path: "tool/lib/a/libz.so.1.3", Mode: 0o644, Object: lib},
		bundle.Entry{Path: "tool/lib/b/libz.so.1.3", Mode: 0o644, Object: memObject("b/libz.so.1.3", noise(1, 70_000))},
		bundle.Entry{Path: "tool/lib/empty", Mode: 0o600, Data: []byte{}},
		bundle.Entry{Path: "tool/lib/libother.so", Mode: 0o755, Object: memObject("c/libother.so", noise(2, 70_000))},
		bundle.Entry{Path: "tool/lib/libz.so.1", Mode: fs.ModeSymlink | 0o777, Link: "a/libz.so.1.3"},
	)
}

// planOf is a plan of those entries, with the folders that they stand in.
func planOf(name string, entries ...bundle.Entry) *bundle.Plan {
	p := &bundle.Plan{Name: name, Epoch: 1, Entries: entries}
	seen := map[string]bool{".": true}
	for _, e := range entries {
		for dir := path.Dir(e.Path); !seen[dir]; dir = path.Dir(dir) {
			seen[dir] = true
			p.Entries = append(p.Entries, bundle.Entry{Path: dir, Mode: fs.ModeDir | 0o755})
		}
	}
	slices.SortFunc(p.Entries, func(a, b bundle.Entry) int { return strings.Compare(a.Path, b.Path) })
	for _, e := range entries {
		if strings.HasPrefix(e.Path, name+"/bin/") {
			p.Programs = append(p.Programs, bundle.Program{
				Entry: e.Path, ELF: e.Path, Source: "/nix/store/x/bin/tool", Strategy: bundle.StrategyNone, Reason: "a test",
			})
		}
	}
	return p
}

// pack packs into memory.
func pack(t *testing.T, p *bundle.Plan, opts bundle.PackOptions) []byte {
	t.Helper()
	var out bytes.Buffer
	sum, err := bundle.Pack(context.Background(), &out, p, opts)
	require.NoError(t, err)
	require.EqualValues(t, out.Len(), sum.Packed)
	return out.Bytes()
}

func sha(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// judge is the path of a tool that judges; without it the test is skipped, but not in CI.
func judge(t *testing.T, name string) string {
	t.Helper()
	file, err := exec.LookPath(name)
	if err != nil && os.Getenv("CI") != "" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skip(err)
	}
	return file
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	c := exec.Command(judge(t, name), args...)
	c.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC")
	out, err := c.CombinedOutput()
	require.NoError(t, err, "%s %v: %s", name, args, out)
	return string(out)
}

// big is larger than three frames, in files that do not end where frames do.
func bigPlan() *bundle.Plan {
	var entries []bundle.Entry
	for i, n := range []int{20 << 20, 1, 17<<20 + 333, 15<<20 + 7} {
		name := "lib" + string(rune('a'+i)) + ".so"
		entries = append(entries, bundle.Entry{Path: "big/lib/" + name, Mode: 0o644, Object: memObject(name, noise(uint64(i), n))})
	}
	return planOf("big", entries...)
}

func TestPackSameBytes(t *testing.T) {
	p := bigPlan()
	want := sha(pack(t, p, bundle.PackOptions{Level: bundle.LevelFastest, Workers: 1}))
	for _, workers := range []int{2, 8, 0} {
		require.Equal(t, want, sha(pack(t, p, bundle.PackOptions{Level: bundle.LevelFastest, Workers: workers})), "%d workers", workers)
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	require.Equal(t, want, sha(pack(t, p, bundle.PackOptions{Level: bundle.LevelFastest})))
	runtime.GOMAXPROCS(8)
	require.Equal(t, want, sha(pack(t, p, bundle.PackOptions{Level: bundle.LevelFastest})))
}

// TestPackGolden pins the encoder: other bytes for the same plan need an entry in the change log.
func TestPackGolden(t *testing.T) {
	for level, want := range map[bundle.Level]string{
		bundle.LevelFastest: "", bundle.LevelDefault: "", bundle.LevelBetter: "", bundle.LevelBest: "",
	} {
		require.Equal(t, want, sha(pack(t, tinyPlan(), bundle.PackOptions{Level: level})), level)
	}
	require.Equal(t, "", sha(pack(t, tinyPlan(), bundle.PackOptions{Format: bundle.FormatTar})), "tar")
}

func TestPackJudges(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "tool.tar.zst")
	require.NoError(t, os.WriteFile(file, pack(t, tinyPlan(), bundle.PackOptions{}), 0o600))
	run(t, "zstd", "-qt", file)
	require.Contains(t, run(t, "zstd", "-lv", file), "Number of files listed: 1")
	list := run(t, "tar", "--zstd", "-tvf", file)
	require.Equal(t, []string{
		"drwxr-xr-x 0/0               0 1970-01-01 00:00 tool/",
		"drwxr-xr-x 0/0               0 1970-01-01 00:00 tool/bin/",
		"-rwxr-xr-x 0/0              20 1970-01-01 00:00 tool/bin/tool",
		"drwxr-xr-x 0/0               0 1970-01-01 00:00 tool/lib/",
		"drwxr-xr-x 0/0               0 1970-01-01 00:00 tool/lib/a/",
		"-rw-r--r-- 0/0           70000 1970-01-01 00:00 tool/lib/a/libz.so.1.3",
		"drwxr-xr-x 0/0               0 1970-01-01 00:00 tool/lib/b/",
		"hrw-r--r-- 0/0               0 1970-01-01 00:00 tool/lib/b/libz.so.1.3 link to tool/lib/a/libz.so.1.3",
	}, strings.Split(list, "\n")[:8])
	require.True(t, strings.HasSuffix(list, "tool/share/nixbundle/manifest.json\n"))
}

var errBroken = errors.New("broken")

var _ = time.Second
