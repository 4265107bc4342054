// Command corpus edits real programs and shared objects of many machines and has the real loader of
// each, native or in qemu, judge the result, beside what patchelf makes of the same wish.
//
//	go run ./testdata/corpus STORE ARCH...
//
// STORE is the folder in which roots.sh made a root for each Debian architecture. CORPUS_FILES says
// how many files of each root are taken, evenly; all where it is 0. A file counts where the loader
// takes the original. The command needs root, to chroot; what it runs there is run as nobody.
package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: corpus STORE ARCH...")
		os.Exit(2)
	}
	if err := run(filepath.Join(os.Args[1], "corpus"), os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "corpus:", err)
		os.Exit(1)
	}
}

func run(store string, arches []string) error {
	most, err := strconv.Atoi(cmp.Or(os.Getenv("CORPUS_FILES"), "320"))
	if err != nil {
		return fmt.Errorf("CORPUS_FILES: %w", err)
	}
	fmt.Printf("%-9s %6s %7s | %-44s | %s\n", "", "", "", "nixbundle", "patchelf")
	fmt.Printf("%-9s %6s %7s | %6s %6s %6s %6s %6s %9s | %6s %6s %6s %9s\n", "machine", "files", "refused",
		"load", "strip", "objcp", "eustr", "grow", "mean", "load", "strip", "grow", "mean")
	bad := 0
	for _, arch := range arches {
		root, err := openRoot(filepath.Join(store, arch), filepath.Join(store, "tools"), arch)
		if err != nil {
			return err
		}
		total, failed := root.judgeAll(most)
		fmt.Println(total.row(arch))
		slices.Sort(failed)
		for _, line := range failed {
			fmt.Println("   ", line)
		}
		bad += len(failed)
	}
	if bad > 0 {
		return fmt.Errorf("%d complaints", bad)
	}
	return nil
}

// sum adds up what became of the files of one machine.
type sum struct {
	files, refused       int // files that the loader takes; those of them that Apply refuses
	ours, theirs         made
	strip, objcp, eustrp int
}

// made is what one patcher made.
type made struct {
	load, strip, grew int
	growth            int64
}

func (s *sum) add(o sum) {
	s.files, s.refused = s.files+o.files, s.refused+o.refused
	s.strip, s.objcp, s.eustrp = s.strip+o.strip, s.objcp+o.objcp, s.eustrp+o.eustrp
	s.ours.add(o.ours)
	s.theirs.add(o.theirs)
}

func (m *made) add(o made) {
	m.load, m.strip, m.grew, m.growth = m.load+o.load, m.strip+o.strip, m.grew+o.grew, m.growth+o.growth
}

func (s *sum) row(arch string) string {
	part := func(n int) string { return fmt.Sprintf("%.1f%%", 100*float64(n)/float64(max(s.files, 1))) }
	mean := func(n int64) string { return fmt.Sprintf("%d B", n/int64(max(s.files, 1))) }
	return fmt.Sprintf("%-9s %6d %7d | %6s %6s %6s %6s %6s %9s | %6s %6s %6s %9s", arch, s.files, s.refused,
		part(s.ours.load), part(s.strip), part(s.objcp), part(s.eustrp), part(s.ours.grew), mean(s.ours.growth),
		part(s.theirs.load), part(s.theirs.strip), part(s.theirs.grew), mean(s.theirs.growth))
}

// judgeAll judges the files of a root, on all processors.
func (r *root) judgeAll(most int) (sum, []string) {
	var (
		total  sum
		failed []string
		mutex  sync.Mutex
		group  sync.WaitGroup
	)
	files := make(chan string)
	for worker := range runtime.NumCPU() {
		group.Go(func() {
			c := &corner{root: r, dir: fmt.Sprintf("/corpus-%d/x", worker)}
			for name := range files {
				c.judge(name)
				mutex.Lock()
				total.add(c.sum)
				failed = append(failed, c.failed...)
				mutex.Unlock()
			}
			os.RemoveAll(filepath.Dir(r.path + c.dir))
		})
	}
	for _, name := range r.sample(most) {
		files <- name
	}
	close(files)
	group.Wait()
	return total, failed
}
