package trial

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"

	"github.com/nixbundle/nixbundle/bundle"
	"github.com/nixbundle/nixbundle/elfpatch"
)

// Run runs a program of the bundle at a path, in which v has found nothing wrong. When ctx ends, so does the program and all that it has
// started. An [*Error] says why it could not be run.
func Run(ctx context.Context, name string, v *bundle.Verification, o Options) (*Result, error) {
	p, err := choose(v.Manifest, o.Program)
	if err != nil {
		return nil, err
	}
	j := &job{Program: p.Entry, Args: o.Args, PageSize: o.PageSize, Prefix: v.Manifest.Prefix, Launcher: launched(v.Manifest, p)}
	if o.Root == "" {
		err = needsRoot(v.Manifest, p)
	} else {
		j.Root, err = filepath.Abs(o.Root)
	}
	if err == nil {
		j.Bundle, err = filepath.Abs(name)
	}
	if err == nil {
		j.Emulator, err = emulatorFor(v.ELFs[p.Entry], o)
	}
	if err != nil {
		return nil, err
	}
	j.Others = otherEmulators(j, o)
	if o.Limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.Limit)
		defer cancel()
	}
	r, err := start(ctx, j, o)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) && o.Limit > 0 {
		return &Result{Program: p.Entry, TimedOut: true}, nil
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return r, err
}

// native is the machine that this one runs without help.
var native = map[string]elf.Machine{
	"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64, "arm": elf.EM_ARM, "riscv64": elf.EM_RISCV, "386": elf.EM_386,
}

// qemus are the names of qemu-user, for machines with the low byte first.
var qemus = map[elf.Machine]struct {
	name  string
	class elf.Class
}{
	elf.EM_X86_64: {"x86_64", elf.ELFCLASS64}, elf.EM_386: {"i386", elf.ELFCLASS32}, elf.EM_AARCH64: {"aarch64", elf.ELFCLASS64},
	elf.EM_ARM: {"arm", elf.ELFCLASS32}, elf.EM_RISCV: {"riscv64", elf.ELFCLASS64},
}

// emulatorFor finds the qemu-user that a program needs here; nil for none.
func emulatorFor(info *elfpatch.Info, o Options) (*emulator, error) {
	if info.Machine == native[runtime.GOARCH] && o.PageSize == 0 {
		return nil, nil
	}
	e := findEmulator(info.Machine, o)
	if e == nil {
		return nil, &Error{
			What: fmt.Sprintf("this machine cannot run %v without qemu-user (qemu-%s-static), which is not there", info.Machine, qemus[info.Machine].name),
			Do:   "install qemu-user-static, or leave --run out: what is proven by reading needs no emulator",
		}
	}
	return e, nil
}

// findEmulator finds the qemu-user for a machine; nil where there is none.
func findEmulator(m elf.Machine, o Options) *emulator {
	q, known := qemus[m]
	if o.Look == nil {
		return nil
	}
	file, err := o.Look("qemu-" + q.name + "-static")
	if err == nil {
		file, err = filepath.Abs(file)
	}
	if !known || err != nil {
		return nil
	}
	return &emulator{Path: file, Name: "nixbundle-" + q.name, Machine: m, Class: q.class, Native: m == native[runtime.GOARCH]}
}

// otherEmulators are those for the machines that other programs of a root may be for, such as its sh.
func otherEmulators(j *job, o Options) []emulator {
	var list []emulator
	for _, m := range slices.Sorted(maps.Keys(qemus)) {
		e := findEmulator(m, o)
		if j.Root != "" && e != nil && !e.Native && (j.Emulator == nil || j.Emulator.Machine != m) {
			list = append(list, *e)
		}
	}
	return list
}

// report is what comes back from inside.
type report struct {
	Result *Result
	Error  *Error
	Cause  string // of Error
}

// start starts this program again in namespaces of its own, and waits for it.
func start(ctx context.Context, j *job, o Options) (*Result, error) {
	text, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	// The signal at a parent's death is that of its thread (prctl(2), PR_SET_PDEATHSIG).
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c := exec.CommandContext(ctx, "/proc/self/exe")
	c.Args = []string{"nixbundle", Verb, string(text)}
	c.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/tmp"}
	c.Stdin, c.Stdout, c.Stderr, c.ExtraFiles = o.Stdin, o.Stdout, o.Stderr, []*os.File{w}
	c.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC,
		Pdeathsig:   syscall.SIGKILL,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}},
	}
	err = c.Start()
	_ = w.Close()
	if err != nil {
		return nil, &Error{
			What: "this machine does not let nixbundle make namespaces of its own", Err: err,
			Do: "allow user namespaces (sysctl user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns), or leave --run out",
		}
	}
	var answer bytes.Buffer
	_, readErr := answer.ReadFrom(r)
	waitErr := c.Wait()
	var rep report
	if err := json.Unmarshal(answer.Bytes(), &rep); err != nil || readErr != nil {
		return nil, fmt.Errorf("the run ended before it began: %v", waitErr)
	}
	if rep.Error != nil {
		if rep.Cause != "" {
			rep.Error.Err = errors.New(rep.Cause)
		}
		return nil, rep.Error
	}
	rep.Result.Program = j.Program
	return rep.Result, nil
}
