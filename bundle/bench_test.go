package bundle_test

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/bundle"
	"github.com/nixbundle/nixbundle/closure"
)

// TestBenchPack compares packing the regular files of $NIXBUNDLE_BENCH_DIR with what cannot be
// avoided: the bare encoder over the same tar, ready in the page cache, in the same frames. Every
// measurement is a process of its own, they take turns, and the median counts.
//
//	NIXBUNDLE_BENCH_DIR=/usr/lib go test -run TestBenchPack -v ./bundle
func TestBenchPack(t *testing.T) {
	dir := os.Getenv("NIXBUNDLE_BENCH_DIR")
	if dir == "" {
		t.Skip("NIXBUNDLE_BENCH_DIR is not set")
	}
	if mode := os.Getenv("NIXBUNDLE_BENCH_MODE"); mode != "" {
		benchChild(t, dir, mode)
		return
	}
	tarFile := filepath.Join(t.TempDir(), "ready.tar")
	p, size := benchPlan(t, dir)
	_, err := bundle.Create(context.Background(), tarFile, p, bundle.PackOptions{})
	require.NoError(t, err)
	fmt.Printf("%d entries, %.1f MB\n", len(p.Entries), float64(size)/1e6)
	fmt.Printf("%-8s %7s  %8s %8s %6s  %8s %8s %6s  %8s %8s\n", "level", "workers",
		"bare s", "pack s", "ratio", "bare cpu", "pack cpu", "ratio", "bare MB", "pack MB")
	levels, rounds := []string{"fastest", "default", "better", "best"}, 5
	if s := os.Getenv("NIXBUNDLE_BENCH_LEVELS"); s != "" {
		levels = strings.Fields(s)
	}
	if s := os.Getenv("NIXBUNDLE_BENCH_ROUNDS"); s != "" {
		rounds, err = strconv.Atoi(s)
		require.NoError(t, err)
	}
	for _, level := range levels {
		single := map[string]float64{}
		for workers := 1; workers <= 2; workers++ {
			bare, packed := benchPair(t, tarFile, level, workers, rounds)
			fmt.Printf("%-8s %7d  %8.2f %8.2f %6.3f  %8.2f %8.2f %6.3f  %8d %8d\n", level, workers,
				bare.wall, packed.wall, packed.wall/bare.wall, bare.cpu, packed.cpu, packed.cpu/bare.cpu, bare.rss, packed.rss)
			if workers == 1 {
				single["bare"], single["pack"] = bare.wall, packed.wall
			} else {
				fmt.Printf("%-8s one to two: bare %.2f, pack %.2f\n", level, single["bare"]/bare.wall, single["pack"]/packed.wall)
			}
		}
	}
}

// benchPlan is a plan of every regular file below dir, with nothing edited.
func benchPlan(t *testing.T, dir string) (*bundle.Plan, int64) {
	var entries []bundle.Entry
	var size int64
	require.NoError(t, filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		size += info.Size()
		open := func() (closure.File, error) { return os.Open(name) }
		rel, _ := filepath.Rel(dir, name)
		entries = append(entries, bundle.Entry{
			Path: "bench/lib/" + rel, Mode: 0o644,
			Object: &closure.Object{Path: name, Size: info.Size(), Open: open},
		})
		return nil
	}))
	p := planOf("bench", entries...)
	p.Apart = func(a, b *closure.Object) bool { return a != b } // as in a bundle of one program
	return p, size
}

// cost is what one process took: seconds, and MB at its largest.
type cost struct {
	wall, cpu float64
	rss       int64
}

// benchPair measures the bare encoder and Pack in turns.
func benchPair(t *testing.T, tarFile, level string, workers, rounds int) (bare, packed cost) {
	costs := map[string][]cost{}
	for range rounds {
		for _, mode := range []string{"bare", "pack"} {
			c := exec.Command(os.Args[0], "-test.run=^TestBenchPack$", "-test.v")
			c.Env = append(os.Environ(), "NIXBUNDLE_BENCH_MODE="+mode, "NIXBUNDLE_BENCH_TAR="+tarFile,
				"NIXBUNDLE_BENCH_LEVEL="+level, "GOMAXPROCS="+strconv.Itoa(workers))
			out, err := c.CombinedOutput()
			require.NoError(t, err, string(out))
			_, after, _ := strings.Cut(string(out), "wall=")
			wall, err := strconv.ParseFloat(strings.Fields(after)[0], 64)
			require.NoError(t, err)
			usage := c.ProcessState.SysUsage().(*syscall.Rusage)
			costs[mode] = append(costs[mode], cost{
				wall: wall, cpu: (c.ProcessState.UserTime() + c.ProcessState.SystemTime()).Seconds(), rss: usage.Maxrss >> 10,
			})
		}
	}
	return median(costs["bare"]), median(costs["pack"])
}

func median(list []cost) cost {
	get := func(f func(cost) float64) float64 {
		var v []float64
		for _, c := range list {
			v = append(v, f(c))
		}
		slices.Sort(v)
		return v[len(v)/2]
	}
	return cost{
		wall: get(func(c cost) float64 { return c.wall }), cpu: get(func(c cost) float64 { return c.cpu }),
		rss: int64(get(func(c cost) float64 { return float64(c.rss) })),
	}
}

// benchChild is one measurement.
func benchChild(t *testing.T, dir, mode string) {
	out, err := os.Create(filepath.Join(t.TempDir(), "out.tar.zst"))
	require.NoError(t, err)
	defer out.Close()
	level := bundle.Level(os.Getenv("NIXBUNDLE_BENCH_LEVEL"))
	p, _ := benchPlan(t, dir)
	start := time.Now()
	if mode == "pack" {
		_, err = bundle.Pack(context.Background(), out, p, bundle.PackOptions{Level: level})
	} else {
		err = benchBare(out, os.Getenv("NIXBUNDLE_BENCH_TAR"), string(level), runtime.GOMAXPROCS(0))
	}
	fmt.Printf("wall=%.4f\n", time.Since(start).Seconds())
	require.NoError(t, err)
}

// benchBare packs a ready tar in frames of 16 MiB.
func benchBare(out io.Writer, tarFile, level string, workers int) error {
	const frame = 16 << 20
	f, err := os.Open(tarFile)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	_, speed := zstd.EncoderLevelFromString(level)
	n := int((info.Size() + frame - 1) / frame)
	done := make([]chan []byte, n)
	for i := range done {
		done[i] = make(chan []byte, 1)
	}
	for w := range workers {
		go func() {
			enc, _ := zstd.NewWriter(nil, zstd.WithEncoderLevel(speed), zstd.WithWindowSize(8<<20), zstd.WithEncoderConcurrency(1))
			raw := make([]byte, frame)
			for i := w; i < n; i += workers {
				k, _ := f.ReadAt(raw, int64(i)*frame)
				done[i] <- enc.EncodeAll(raw[:k], make([]byte, 0, frame/2))
			}
		}()
	}
	for i := range done {
		if _, err := out.Write(<-done[i]); err != nil {
			return err
		}
	}
	return nil
}
