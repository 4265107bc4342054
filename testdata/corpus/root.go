package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/nixbundle/nixbundle/elfpatch"
)

// root is the file system of one machine, and what runs its programs.
type root struct {
	path, tools string
	qemu        []string // the emulator inside the root; none for what this machine runs
	loader      string
}

// emulators are those of Debian's architectures.
var emulators = map[string]string{
	"arm64": "aarch64", "armhf": "arm", "i386": "i386", "riscv64": "riscv64", "ppc64el": "ppc64le", "s390x": "s390x",
	"mips64el": "mips64el", "mipsel": "mipsel",
}

func openRoot(path, tools, arch string) (*root, error) {
	r := &root{path: path, tools: tools}
	if name := emulators[arch]; name != "" {
		qemu, err := exec.LookPath("qemu-" + name + "-static")
		if err != nil {
			return nil, err
		}
		b, err := os.ReadFile(qemu)
		if err != nil {
			return nil, err
		}
		r.qemu = []string{"/qemu"}
		if err := os.WriteFile(path+"/qemu", b, 0o755); err != nil {
			return nil, err
		}
	}
	info, _, err := readFacts(path + "/usr/bin/bash")
	if err != nil {
		return nil, fmt.Errorf("%w: make the root with roots.sh", err)
	}
	r.loader = info.Interp
	return r, nil
}

func readFacts(name string) (*elfpatch.Info, int64, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	stat, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	info, err := elfpatch.Read(f, stat.Size())
	return info, stat.Size(), err
}

// sample lists the programs and shared objects of the root that need others, about most of them.
func (r *root) sample(most int) []string {
	var all []string
	_ = filepath.WalkDir(r.path+"/usr", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil
		}
		info, _, err := readFacts(name)
		if err == nil && info.Dynamic && len(info.Needed) > 0 && !strings.Contains(filepath.Base(name), "libc.so") {
			all = append(all, name)
		}
		return nil
	})
	if most == 0 || most >= len(all) {
		return all
	}
	var chosen []string
	for i := range most {
		chosen = append(chosen, all[i*len(all)/most])
	}
	return chosen
}

// run runs a program of the root as nobody, and gives what it says and its exit status, without what
// differs from run to run.
func (r *root) run(env []string, args ...string) (out string, ok bool) {
	const patience = 60 * time.Second
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	args = slices.Concat(r.qemu, args)
	var b []byte
	err := error(syscall.ETXTBSY)
	for errors.Is(err, syscall.ETXTBSY) { // another worker forked while this one wrote the file
		cmd := exec.CommandContext(ctx, args[0], args[1:]...)
		cmd.Dir, cmd.Env = "/", append([]string{"PATH=/usr/bin:/usr/sbin", "LC_ALL=C", "LD_BIND_NOW=1"}, env...)
		const nobody = 65534
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: r.path, Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		b, err = cmd.CombinedOutput()
	}
	var exit *exec.ExitError
	status := "status 0"
	switch {
	case errors.As(err, &exit):
		status = exit.String()
	case err != nil:
		status = err.Error()
	}
	return sameEachTime.ReplaceAllString(string(b), "N") + status, err == nil
}

var sameEachTime = regexp.MustCompile(`0x[0-9a-f]+|[0-9]+`)

// load has the loader map a file and all that it needs, and bind every reference. The places of libm,
// which the edit adds, and of libc, which that needs, are left out.
func (r *root) load(name string) (out string, ok bool) {
	out, ok = r.run([]string{"LD_WARN=1"}, r.loader, "--list", name)
	lines := slices.DeleteFunc(strings.Split(out, "\n"), func(line string) bool {
		return strings.HasPrefix(line, "\tlibm.so") || strings.HasPrefix(line, "\tlibc.so") || strings.Contains(line, "ld-linux")
	})
	slices.Sort(lines)
	return strings.Join(lines, "\n"), ok
}

// start starts the file: a program says its version, a shared object is loaded into another, with its
// constructors.
func (r *root) start(name string, program bool) string {
	if program {
		out, _ := r.run(nil, name, "--version")
		return out
	}
	out, _ := r.run([]string{"LD_PRELOAD=" + name}, "/usr/bin/true")
	return out
}
