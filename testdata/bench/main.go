// Command bench compares nixbundle with what one would use instead, side by side: each pair of
// commands is run in turn, A B A B, so that a machine whose speed drifts drifts for both. It prints
// one table of ratios of medians; below 1 means nixbundle is quicker, or smaller.
//
//	go run ./testdata/bench NIXBUNDLE STORE
//
// NIXBUNDLE is the program, STORE the folder that make store builds with its bench root.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/klauspost/compress/zstd"
)

const rounds = 5

func main() {
	if len(os.Args) > 1 && os.Args[1] == "encode" {
		encode(os.Args[2], os.Args[3], os.Args[4])
		return
	}
	if len(os.Args) > 1 && os.Args[1] == "measure" {
		measure(os.Args[2:])
		return
	}
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: bench NIXBUNDLE STORE")
		os.Exit(2)
	}
	b := &bench{program: os.Args[1], store: os.Args[2]}
	var err error
	b.self, err = os.Executable()
	check(err)
	dir := "" // memory, where there is some: a disk's speed is not the question
	if _, err := os.Stat("/dev/shm"); err == nil {
		dir = "/dev/shm"
	}
	b.tmp, err = os.MkdirTemp(dir, "nixbundle-bench-")
	check(err)
	defer os.RemoveAll(b.tmp)
	b.run()
}

// bench is one run of the whole comparison.
type bench struct{ program, self, store, tmp string }

func (b *bench) run() {
	fmt.Printf("%d processors, medians of %d interleaved runs, A/B\n\n", runtime.NumCPU(), rounds)
	fmt.Printf("%-42s %-34s %6s %6s %7s %7s %6s\n", "A", "B", "wall", "cpu", "A MiB", "B MiB", "size")
	b.loader()
	b.patch()
	b.pack()
}

// patch compares edits of the largest library of the large program.
func (b *bench) patch() {
	big, size := "", int64(0)
	check(filepath.WalkDir(filepath.Join(b.store, "bench-native", "usr/lib"), func(name string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if n := sizeOf(name); n > size {
			big, size = name, n
		}
		return nil
	}))
	mine, theirs := filepath.Join(b.tmp, "a.so"), filepath.Join(b.tmp, "b.so")
	for _, to := range []string{mine, theirs} { // not by this process, whose peak its children inherit
		check(exec.Command("cp", big, to).Run())
	}
	name := func(what string) string { return fmt.Sprintf("%s, %d MB", what, size/1e6) }
	patch := func(args ...string) func() *exec.Cmd {
		return cmdOf(b.program, append([]string{"patchelf"}, args...)...)
	}
	b.compare(name("patchelf --print-rpath"), patch("--print-rpath", mine), "patchelf", cmdOf("patchelf", "--print-rpath", theirs), nil)
	round := 0
	edit := func(in string, with func(...string) func() *exec.Cmd, args ...string) func() *exec.Cmd {
		return func() *exec.Cmd {
			round++
			return with(append(args, "--set-rpath", "/run/path/"+strconv.Itoa(round%10), in)...)()
		}
	}
	upstream := func(args ...string) func() *exec.Cmd { return cmdOf("patchelf", args...) }
	b.compare(name("patchelf --in-place --set-rpath"), edit(mine, patch, "--in-place"), "patchelf", edit(theirs, upstream), nil)
	b.compare(name("patchelf --set-rpath"), edit(mine, patch), "patchelf", edit(theirs, upstream), nil)
	out, other := filepath.Join(b.tmp, "a.out"), filepath.Join(b.tmp, "b.out")
	b.compare(name("patchelf --set-rpath --output"), edit(big, patch, "--output", out), "cp", cmdOf("cp", big, other), []string{out, other})
	b.compare(name("patchelf --set-rpath --output"), edit(big, patch, "--output", out), "patchelf",
		edit(big, upstream, "--output", other), []string{out, other})
	for _, name := range []string{mine, theirs, out, other} {
		check(os.Remove(name))
	}
}

// loader compares what answers for the loader, for a store's programs and for a large one of Debian's. That
// is in a root of its own, where all commands run, since libtree and ldd know no other way to look into one.
func (b *bench) loader() {
	sensor := filepath.Join(b.store, "results/sensor-samesoname/bin/sensor")
	b.compare("ldd sensor (23 objects)", cmdOf(b.program, "ldd", sensor), "libtree", cmdOf("libtree", sensor), nil)
	ffmpeg := filepath.Join(b.store, "bench-store/bin/ffmpeg")
	large := func(name string, args ...string) func() *exec.Cmd { return cmdOf(name, append(args, ffmpeg)...) }
	b.compare("ldd ffmpeg (214 objects in a store)", large(b.program, "ldd"), "libtree", large("libtree"), nil)
	b.compare("bind ffmpeg", large(b.program, "bindings", "--symbol", "malloc"), "ldd -r", large("ldd", "-r"), nil)
	b.compare("bind ffmpeg", large(b.program, "bindings", "--symbol", "malloc"), "libtree", large("libtree"), nil)
	root := filepath.Join(b.store, "bench-native")
	check(copyFile(b.program, filepath.Join(root, "usr/bin/nixbundle")))
	in := func(name string, args ...string) func() *exec.Cmd {
		return inRoot(root, cmdOf(name, append(args, "/usr/bin/gmic")...))
	}
	b.compare("ldd gmic (250 objects)", in("/usr/bin/nixbundle", "ldd"), "libtree", in("/usr/bin/libtree"), nil)
	b.compare("ldd gmic", in("/usr/bin/nixbundle", "ldd"), "ldd", in("/usr/bin/ldd"), nil)
	b.compare("bind gmic", in("/usr/bin/nixbundle", "bindings", "--symbol", "malloc"), "ldd -r", in("/usr/bin/ldd", "-r"), nil)
	b.compare("bind gmic", in("/usr/bin/nixbundle", "bindings", "--symbol", "malloc"), "libtree", in("/usr/bin/libtree"), nil)
	b.compare("conflicts gmic", in("/usr/bin/nixbundle", "conflicts"), "ldd -r", in("/usr/bin/ldd", "-r"), nil)
}

// pack compares packing a large closure.
func (b *bench) pack() {
	pack := func(level, output string, env ...string) func() *exec.Cmd {
		return withEnv(cmdOf(b.program, "--quiet", "--allow-conflicts", "--root", filepath.Join(b.store, "bench-root"),
			"--level", level, "/usr/bin/gmic", "-o", filepath.Join(b.tmp, output)), env)
	}
	check(pack("default", "a.tar")().Run())
	tarFile := filepath.Join(b.tmp, "a.tar")
	st, err := os.Stat(tarFile)
	check(err)
	out, other := filepath.Join(b.tmp, "a.tar.zst"), filepath.Join(b.tmp, "b.tar.zst")
	tree := filepath.Join(b.tmp, "tree")
	check(os.Mkdir(tree, 0o755))
	check(exec.Command("tar", "-xf", tarFile, "-C", tree).Run())
	name := fmt.Sprintf("pack %d MB", st.Size()/1e6)
	files := []string{out, other}
	for _, l := range []struct{ level, zstd string }{{"default", "-3"}, {"best", "-12"}} {
		sh := "tar -C " + tree + " -cf - . | zstd -q -f -T2 " + l.zstd + " -o " + other
		b.compare(name+", "+l.level, pack(l.level, "a.tar.zst"), "tar | zstd "+l.zstd+" -T2", cmdOf("sh", "-c", sh), files)
		b.compare(name+", "+l.level, pack(l.level, "a.tar.zst"), "bare encoder on the ready tar",
			cmdOf(b.self, "encode", l.level, tarFile, other), files)
		b.compare(name+", "+l.level+", 2 cores", pack(l.level, "a.tar.zst", "GOMAXPROCS=2"), "1 core",
			pack(l.level, "b.tar.zst", "GOMAXPROCS=1"), files)
	}
}

// figures are those of several runs of one command.
type figures struct {
	wall, cpu []time.Duration
	peak      int64 // KiB, of the largest process
}

// figure is one run.
type figure struct {
	Wall, CPU time.Duration
	Peak      int64
}

// compare runs two commands in turn and prints a row. files, where given, are their outputs.
func (b *bench) compare(nameA string, a func() *exec.Cmd, nameB string, other func() *exec.Cmd, files []string) {
	var fa, fb figures
	for i := range rounds + 1 {
		fa.measure(b.self, a(), i > 0)
		fb.measure(b.self, other(), i > 0)
	}
	size := "-"
	if files != nil {
		size = fmt.Sprintf("%.3f", float64(sizeOf(files[0]))/float64(sizeOf(files[1])))
	}
	fmt.Printf("%-42s %-34s %6.2f %6.2f %7.0f %7.0f %6s\n", nameA, nameB,
		ratio(fa.wall, fb.wall), ratio(fa.cpu, fb.cpu), float64(fa.peak)/1024, float64(fb.peak)/1024, size)
}

// measure runs a command. Linux counts in a process's peak that of the one that started it, up to then: a
// process of this program that has done nothing else starts it, unless that must be in another root.
func (f *figures) measure(self string, c *exec.Cmd, counts bool) {
	var one figure
	if c.SysProcAttr != nil {
		one = runOnce(c)
	} else {
		between := exec.Command(self, append([]string{"measure"}, c.Args...)...)
		between.Env, between.Dir, between.Stderr = c.Env, c.Dir, os.Stderr
		out, err := between.Output()
		check(err)
		check(json.Unmarshal(out, &one))
	}
	if counts {
		f.wall, f.cpu, f.peak = append(f.wall, one.Wall), append(f.cpu, one.CPU), max(f.peak, one.Peak)
	}
}

// measure runs a command and prints its figure as JSON.
func measure(args []string) {
	check(json.NewEncoder(os.Stdout).Encode(runOnce(exec.Command(args[0], args[1:]...))))
}

// runOnce runs a command; exit status 3, findings, is no error.
func runOnce(c *exec.Cmd) figure {
	c.Stdout = nil
	start := time.Now()
	err := c.Run()
	wall := time.Since(start)
	if exit := (*exec.ExitError)(nil); err != nil && !(errors.As(err, &exit) && exit.ExitCode() == 3) {
		check(err)
	}
	one := figure{Wall: wall, CPU: c.ProcessState.UserTime() + c.ProcessState.SystemTime()}
	if u, ok := c.ProcessState.SysUsage().(*syscall.Rusage); ok {
		one.Peak = u.Maxrss
	}
	return one
}

func ratio(a, b []time.Duration) float64 {
	slices.Sort(a)
	slices.Sort(b)
	return float64(a[len(a)/2]) / float64(b[len(b)/2])
}

func sizeOf(name string) int64 {
	st, err := os.Stat(name)
	check(err)
	return st.Size()
}

func cmdOf(name string, args ...string) func() *exec.Cmd {
	return func() *exec.Cmd { return exec.Command(name, args...) }
}

// inRoot runs a command in a root; root's rights are needed.
func inRoot(root string, c func() *exec.Cmd) func() *exec.Cmd {
	return func() *exec.Cmd {
		cmd := c()
		cmd.Dir, cmd.SysProcAttr = "/", &syscall.SysProcAttr{Chroot: root}
		return cmd
	}
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o755)
}

func withEnv(c func() *exec.Cmd, env []string) func() *exec.Cmd {
	return func() *exec.Cmd {
		cmd := c()
		cmd.Env = append(os.Environ(), env...)
		return cmd
	}
}

// encode is the bare encoder: the frames of a bundle, of a file that is ready, and nothing else.
func encode(level, from, to string) {
	levels := map[string]zstd.EncoderLevel{"default": zstd.SpeedDefault, "best": zstd.SpeedBestCompression}
	in, err := os.Open(from)
	check(err)
	out, err := os.Create(to)
	check(err)
	type job struct {
		in   []byte
		done chan []byte
	}
	workers := runtime.GOMAXPROCS(0)
	jobs, queue := make(chan job), make(chan job, workers)
	for range workers {
		e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(levels[level]), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(8<<20))
		check(err)
		go func() {
			for j := range jobs {
				j.done <- e.EncodeAll(j.in, nil)
			}
		}()
	}
	go func() {
		defer close(queue)
		for {
			buf := make([]byte, 16<<20)
			n, err := io.ReadFull(in, buf)
			if n > 0 {
				j := job{buf[:n], make(chan []byte, 1)}
				jobs <- j
				queue <- j
			}
			if err != nil {
				return
			}
		}
	}()
	for j := range queue {
		_, err := out.Write(<-j.done)
		check(err)
	}
	check(out.Close())
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench: "+strconv.Quote(err.Error()))
		os.Exit(1)
	}
}
