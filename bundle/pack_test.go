package bundle_test

import (
	"archive/tar"
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
	"runtime/debug"
	"slices"
	"strings"
	"sync"
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
	p := &bundle.Plan{Name: name, Epoch: 1, Entries: slices.Clone(entries)}
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

// bigPlan is larger than three frames, in files that do not end where frames do.
var bigPlan = sync.OnceValue(func() *bundle.Plan {
	var entries []bundle.Entry
	for i, n := range []int{20 << 20, 1, 17<<20 + 333, 15<<20 + 7} {
		name := "lib" + string(rune('a'+i)) + ".so"
		entries = append(entries, bundle.Entry{Path: "big/lib/" + name, Mode: 0o644, Object: memObject(name, noise(uint64(i), n))})
	}
	return planOf("big", entries...)
})

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

// TestPackGolden pins the encoder and the layout. Where it fails, the bytes of every bundle have
// changed: the release notes must say so.
func TestPackGolden(t *testing.T) {
	got := []string{sha(pack(t, tinyPlan(), bundle.PackOptions{Format: bundle.FormatTar}))}
	for _, level := range bundle.Levels() {
		got = append(got, sha(pack(t, tinyPlan(), bundle.PackOptions{Level: bundle.Level(level)})))
	}
	require.Equal(t, []string{
		"973b47ebfe90d9c79cd242c3bdace3dbeccb4a47d46d7dc33bd6b156016499e6", // tar
		"1a5f7d9827b9562ca45641c95a9a15594cb638de9165d5987edd7f7412e017a9", // fastest
		"097aca82bffd3292b52425bc89142ad57501f37d913025bc14daf1dae756905a", // default
		"2b4d9625f45d2b2191b37bf2f4a20ac6396d4627df7c047e0cc8974602f26b8a", // better
		"e015f94ee7d6000a928be949bcff18cd41edd90d438eed2bd103e4d481d1c5f9", // best
	}, got)
}

func TestPackJudges(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "tool.tar.zst")
	require.NoError(t, os.WriteFile(file, pack(t, tinyPlan(), bundle.PackOptions{}), 0o600))
	run(t, "zstd", "-qt", file)
	require.Contains(t, run(t, "zstd", "-lv", file), "# Zstandard Frames: 2")
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

// TestPackOrder: the order in which a plan lists its entries does not show.
func TestPackOrder(t *testing.T) {
	want := sha(pack(t, tinyPlan(), bundle.PackOptions{}))
	p := tinyPlan()
	slices.Reverse(p.Entries)
	require.Equal(t, want, sha(pack(t, p, bundle.PackOptions{})))
}

// TestPackEnvironment: neither the time zone nor the locale shows.
func TestPackEnvironment(t *testing.T) {
	want := sha(pack(t, tinyPlan(), bundle.PackOptions{}))
	zone := time.Local
	defer func() { time.Local = zone }()
	time.Local = time.FixedZone("elsewhere", 5*3600+45*60)
	t.Setenv("LC_ALL", "tr_TR.UTF-8")
	t.Setenv("TZ", "Asia/Kathmandu")
	require.Equal(t, want, sha(pack(t, tinyPlan(), bundle.PackOptions{})))
}

// names lists what a tar stream has at path: "file", or "= other" for a hard link.
func names(t *testing.T, data []byte) map[string]string {
	t.Helper()
	list := map[string]string{}
	r := tar.NewReader(bytes.NewReader(data))
	for {
		h, err := r.Next()
		if err == io.EOF {
			return list
		}
		require.NoError(t, err)
		list[h.Name] = map[byte]string{tar.TypeReg: "file", tar.TypeDir: "folder", tar.TypeSymlink: "-> " + h.Linkname, tar.TypeLink: "= " + h.Linkname}[h.Typeflag]
	}
}

func TestPackTwins(t *testing.T) {
	data := noise(3, 5000)
	objects := map[string]*closure.Object{}
	var entries []bundle.Entry
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		objects[name] = memObject(name, data)
		entries = append(entries, bundle.Entry{Path: "x/lib/" + name, Mode: 0o644, Object: objects[name]})
	}
	entries[4].Mode = 0o755
	entries = append(entries, bundle.Entry{Path: "x/lib/f", Mode: 0o644, Data: data})
	tests := []struct {
		name  string
		apart [][2]string // in one process
		want  []string
	}{
		{"all", nil, []string{"file", "= x/lib/a", "= x/lib/a", "= x/lib/a", "file", "= x/lib/a"}},
		{"one_process", [][2]string{{"a", "b"}, {"a", "c"}, {"a", "d"}, {"b", "c"}, {"b", "d"}, {"c", "d"}}, []string{"file", "file", "file", "file", "file", "= x/lib/a"}},
		{"two_programs", [][2]string{{"a", "b"}, {"c", "d"}}, []string{"file", "file", "= x/lib/a", "= x/lib/b", "file", "= x/lib/a"}},
		// c may share with a, and d with a, but not with c: sharing is transitive.
		{"not_through_a_third", [][2]string{{"a", "b"}, {"c", "d"}, {"b", "d"}}, []string{"file", "file", "= x/lib/a", "file", "file", "= x/lib/a"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := planOf("x", entries...)
			p.Apart = func(a, b *closure.Object) bool {
				for _, pair := range test.apart {
					if a == objects[pair[0]] && b == objects[pair[1]] || b == objects[pair[0]] && a == objects[pair[1]] {
						return true
					}
				}
				return false
			}
			got := names(t, pack(t, p, bundle.PackOptions{Format: bundle.FormatTar}))
			for i, name := range []string{"a", "b", "c", "d", "e", "f"} {
				require.Equal(t, test.want[i], got["x/lib/"+name], name)
			}
		})
	}
}

func TestPackManifest(t *testing.T) {
	p := tinyPlan()
	p.Accepted = []closure.Finding{{Kind: closure.KindSoname, Program: "/p", Name: "libz.so.1", What: "two", Copies: []closure.Copy{{Path: "/a"}, {Path: "/b"}}}}
	var out bytes.Buffer
	sum, err := bundle.Pack(context.Background(), &out, p, bundle.PackOptions{Tool: "nixbundle 1"})
	require.NoError(t, err)
	m := sum.Manifest
	require.Equal(t, bundle.ManifestSchema, m.Schema)
	require.Equal(t, "nixbundle 1", m.Tool)
	require.Equal(t, []bundle.ManifestFinding{{Kind: "same-soname", Program: "/p", Name: "libz.so.1", Paths: []string{"/a", "/b"}, What: "two"}}, m.Accepted)
	require.Equal(t, bundle.ManifestEntry{
		Path: "tool/lib/a/libz.so.1.3", Type: bundle.TypeFile, Mode: "0644", Size: 70_000, SHA256: sha(noise(1, 70_000)),
		Source:    "/nix/store/0c8fbmcd0zrjbghj2y7c9rp1z1mqrr4b-zlib-1.3/lib/libz.so.1.3",
		StorePath: "/nix/store/0c8fbmcd0zrjbghj2y7c9rp1z1mqrr4b-zlib-1.3",
	}, m.Entries[5])
	require.Equal(t, "tool/lib/a/libz.so.1.3", m.Entries[7].SameAs)
	require.Equal(t, m.Entries[5].SHA256, m.Entries[7].SHA256)
	require.Equal(t, "tool/share/nixbundle", m.Entries[len(m.Entries)-1].Path)
	require.Equal(t, len(m.Entries)+1, sum.Entries)
	require.EqualValues(t, 70_000, sum.Saved)
	require.Equal(t, m, opened(t, written(t, "x.tar.zst", out.Bytes())).Manifest)
}

// TestPackNames: what ustar cannot say is said in PAX records, and only that.
func TestPackNames(t *testing.T) {
	long := "x/lib/" + strings.Repeat("n", 120)
	p := planOf("x", bundle.Entry{Path: long, Mode: 0o644, Data: []byte("l")}, bundle.Entry{Path: "x/lib/größe", Mode: 0o644, Data: []byte("g")})
	data := pack(t, p, bundle.PackOptions{Format: bundle.FormatTar})
	list := run(t, "tar", "--quoting-style=literal", "-tf", written(t, "x.tar", data))
	require.Contains(t, list, long+"\n")
	require.Contains(t, list, "x/lib/größe\n")
	require.NotContains(t, string(pack(t, tinyPlan(), bundle.PackOptions{Format: bundle.FormatTar})), "PaxHeaders")
}

// TestPackBadPlan: a plan that would write somewhere else is refused.
func TestPackBadPlan(t *testing.T) {
	for _, name := range []string{"../x/f", "x/../y", "/x/f", "x//f", "y/f", "x/f/", "x/a\x00b", ""} {
		p := planOf("x", bundle.Entry{Path: "x/f", Mode: 0o644})
		p.Entries = append(p.Entries, bundle.Entry{Path: name, Mode: 0o644})
		_, err := bundle.Pack(context.Background(), io.Discard, p, bundle.PackOptions{})
		require.ErrorContains(t, err, "is not a clean path inside x", name)
	}
	for _, name := range []string{"", ".", "..", "a/b"} {
		_, err := bundle.Pack(context.Background(), io.Discard, &bundle.Plan{Name: name}, bundle.PackOptions{})
		require.ErrorContains(t, err, "must be one folder name", name)
	}
	var collision *bundle.CollisionError
	for _, name := range []string{"x/f", "x/share/nixbundle/manifest.json"} {
		p := planOf("x", bundle.Entry{Path: "x/f", Mode: 0o644}, bundle.Entry{Path: name, Mode: 0o644})
		_, err := bundle.Pack(context.Background(), io.Discard, p, bundle.PackOptions{})
		require.ErrorAs(t, err, &collision)
	}
	p := planOf("x", bundle.Entry{Path: "x/f", Mode: fs.ModeNamedPipe})
	_, err := bundle.Pack(context.Background(), io.Discard, p, bundle.PackOptions{})
	require.ErrorContains(t, err, "x/f: a bundle cannot hold a file of type p")
	_, err = bundle.ParseLevel("19")
	require.EqualError(t, err, `unknown level "19": it is one of fastest, default, better, best`)
	_, err = bundle.Pack(context.Background(), io.Discard, tinyPlan(), bundle.PackOptions{Level: "19"})
	require.Error(t, err)
}

var errBroken = errors.New("broken")

// brokenFile fails after some bytes.
type brokenFile struct {
	memFile
	closeErr error
}

func (brokenFile) ReadAt([]byte, int64) (int, error) { return 0, errBroken }
func (f brokenFile) Close() error                    { return f.closeErr }

// TestPackSources: every way in which a source can fail names the source.
func TestPackSources(t *testing.T) {
	data := noise(4, 300_000)
	tests := []struct {
		name string
		size int64
		open func() (closure.File, error)
		want string
	}{
		{"open", 5, func() (closure.File, error) { return nil, &fs.PathError{Op: "open", Path: "/p", Err: errBroken} }, "broken"},
		{"read", 5, func() (closure.File, error) { return brokenFile{}, nil }, "broken"},
		{"shrunk", 300_001, func() (closure.File, error) { return memFile{bytes.NewReader(data)}, nil }, "the file was changed while it was being packed"},
		{"grown", 299_999, func() (closure.File, error) { return memFile{bytes.NewReader(data)}, nil }, "the file was changed while it was being packed"},
		{"close", 0, func() (closure.File, error) { return brokenFile{closeErr: errBroken}, nil }, "broken"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := planOf("x", bundle.Entry{Path: "x/lib/f", Mode: 0o644, Object: object("f", test.size, test.open)})
			_, err := bundle.Pack(context.Background(), io.Discard, p, bundle.PackOptions{})
			require.EqualError(t, err, "/nix/store/f: "+test.want)
		})
	}
}

// TestPackChangedTwin: a file that was read twice must have said the same twice.
func TestPackChangedTwin(t *testing.T) {
	reads := 0
	changing := object("changing", 1000, func() (closure.File, error) {
		reads++
		return memFile{bytes.NewReader(noise(uint64(reads), 1000))}, nil
	})
	p := planOf("x", bundle.Entry{Path: "x/a", Mode: 0o644, Object: changing}, bundle.Entry{Path: "x/b", Mode: 0o644, Object: memObject("b", noise(9, 1000))})
	_, err := bundle.Pack(context.Background(), io.Discard, p, bundle.PackOptions{})
	require.EqualError(t, err, "/nix/store/changing: the file was changed while it was being packed")
}

// failingWriter takes some bytes and then fails.
type failingWriter struct {
	left  int
	calls int
}

func (w *failingWriter) Write(b []byte) (int, error) {
	w.calls++
	if w.left -= len(b); w.left < 0 {
		return 0, errBroken
	}
	return len(b), nil
}

// TestPackWriter: an error of the writer is returned, and nothing is written after it.
func TestPackWriter(t *testing.T) {
	p := bigPlan()
	for _, format := range []bundle.Format{bundle.FormatTarZst, bundle.FormatTar} {
		for _, left := range []int{0, 20 << 20, 45 << 20} {
			w := &failingWriter{left: left}
			_, err := bundle.Pack(context.Background(), w, p, bundle.PackOptions{Format: format, Level: bundle.LevelFastest, Workers: 2})
			if left > 40<<20 && err == nil {
				continue // it fitted
			}
			require.ErrorIs(t, err, errBroken)
			calls := w.calls
			time.Sleep(50 * time.Millisecond)
			require.Equal(t, calls, w.calls)
		}
	}
}

// TestPackCancel: a done context stops the work within a chunk, wherever it is.
func TestPackCancel(t *testing.T) {
	before := runtime.NumGoroutine()
	for _, after := range []int64{0, 1 << 20, 25 << 20} {
		ctx, cancel := context.WithCancel(context.Background())
		var at int64
		opts := bundle.PackOptions{Level: bundle.LevelFastest, Progress: func(done, total int64) {
			require.LessOrEqual(t, done-at, int64(1<<20))
			require.LessOrEqual(t, done, total)
			if at = done; done >= after {
				cancel()
			}
		}}
		_, err := bundle.Pack(ctx, io.Discard, bigPlan(), opts)
		require.ErrorIs(t, err, context.Canceled)
		require.LessOrEqual(t, at, after+1<<20)
	}
	for end := time.Now().Add(20 * time.Second); runtime.NumGoroutine() > before; time.Sleep(5 * time.Millisecond) {
		require.True(t, time.Now().Before(end), "goroutines stay")
	}
}

// endless is a file of n bytes that are nowhere, the same pattern again and again.
type endless struct{ n int64 }

var pattern = noise(5, 1<<20)

func (f endless) ReadAt(b []byte, off int64) (int, error) {
	n := int(min(int64(len(b)), max(0, f.n-off)))
	for at := 0; at < n; {
		at += copy(b[at:n], pattern[(off+int64(at))%int64(len(pattern)):])
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (endless) Close() error { return nil }

// TestPackMemory: memory depends on the workers, not on the bundle.
func TestPackMemory(t *testing.T) {
	const size, ceiling = 400 << 20, 260 << 20
	file := object("huge", size, func() (closure.File, error) { return endless{size}, nil })
	p := planOf("x", bundle.Entry{Path: "x/lib/huge", Mode: 0o644, Object: file})
	defer debug.SetGCPercent(debug.SetGCPercent(20)) // what earlier tests keep shall not let garbage pile up
	runtime.GC()
	var most uint64
	var stat runtime.MemStats
	runtime.ReadMemStats(&stat)
	before := stat.HeapInuse
	seen := int64(0)
	opts := bundle.PackOptions{Level: bundle.LevelDefault, Workers: 2, Progress: func(done, _ int64) {
		if done-seen > 16<<20 {
			seen = done
			runtime.ReadMemStats(&stat)
			most = max(most, stat.HeapInuse-min(before, stat.HeapInuse))
		}
	}}
	_, err := bundle.Pack(context.Background(), io.Discard, p, opts)
	require.NoError(t, err)
	t.Logf("heap at most %d MiB, beside %d MiB of before", most>>20, before>>20)
	require.Less(t, most, uint64(ceiling))
}
