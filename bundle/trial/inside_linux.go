package trial

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path"
	"strconv"
	"syscall"

	"github.com/nixbundle/nixbundle/bundle"
)

// reportFd is the pipe that the answer goes to.
const reportFd = 3

// Inside is the program that [Run] starts, in its own namespaces: it makes the root, runs the program
// there and tells how it ended. It returns an exit status.
func Inside(text string) int {
	syscall.CloseOnExec(reportFd)
	out := os.NewFile(reportFd, "report")
	var rep report
	var j job
	err := json.Unmarshal([]byte(text), &j)
	if err == nil {
		rep.Result, err = j.run()
	}
	if err != nil {
		if !errors.As(err, &rep.Error) {
			rep.Error = &Error{What: err.Error()}
		}
		if rep.Error.Err != nil {
			rep.Cause, rep.Error.Err = rep.Error.Err.Error(), nil
		}
	}
	if out == nil || json.NewEncoder(out).Encode(rep) != nil {
		return 1
	}
	return 0
}

// run makes the root and runs the program in it.
func (j *job) run() (*Result, error) {
	archive, err := bundle.Open(j.Bundle)
	if err != nil {
		return nil, err
	}
	defer archive.Close()
	root, err := j.makeRoot(archive)
	if err != nil {
		return nil, err
	}
	args, env := j.command(root)
	c := exec.Command(args[0])
	c.Path, c.Args, c.Env, c.Dir = args[0], args, env, "/"
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Chroot: root.dir}
	if err := noCore(); err != nil {
		return nil, err
	}
	err = c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return nil, &Error{What: "it cannot be started", Err: err}
	}
	status := c.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return &Result{Status: 128 + int(status.Signal()), Signal: status.Signal().String()}, nil
	}
	return &Result{Status: status.ExitStatus()}, nil
}

// command is the command line inside the root, and its environment.
func (j *job) command(r *root) (args, env []string) {
	program := path.Join("/", r.bundle, j.Program)
	args = append([]string{program}, j.Args...)
	if r.emulator != "" {
		args = append([]string{r.emulator, "-0", program}, args...)
	}
	env = os.Environ()
	if j.PageSize > 0 {
		env = append(env, "QEMU_PAGESIZE="+strconv.Itoa(j.PageSize)) // qemu linux-user/main.c: arg_table
	}
	return args, env
}

// noCore: a program that crashes leaves no core file, and qemu none of its own.
func noCore() error { return syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}) }
