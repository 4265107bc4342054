package stub_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/elfpatch/stub"
)

// TestRefuses: what stands against a start is one line that names it, and status 127.
func TestRefuses(t *testing.T) {
	p := nativeProbe(t)
	program := write(t, p.dir+"/bin/probe", p.stubbed)
	loader := p.dir + "/lib/" + p.loaderName()
	good, err := os.ReadFile(loader)
	require.NoError(t, err)
	foreign := bytes.Clone(good)
	foreign[18] = byte(elf.EM_AARCH64)
	cut := bytes.Clone(good[:100])

	refused := func(name, want string, c *exec.Cmd) {
		t.Helper()
		stdout, stderr, status := output(t, c)
		require.Equal(t, 127, status, name)
		require.Empty(t, stdout, name)
		require.Equal(t, "nixbundle: "+want+"\n", stderr, name)
	}
	for name, b := range map[string][]byte{"foreign": foreign, "cut": cut, "empty": {}, "text": []byte("#!/bin/sh\necho no\n")} {
		write(t, loader, b)
		refused(name, loader+": no loader for this program", exec.Command(program))
	}
	require.NoError(t, os.Remove(loader))
	refused("missing", loader+": the loader cannot be opened: is the bundle whole?, errno 02", exec.Command(program))
	write(t, loader, good)
	alone := write(t, t.TempDir()+"/probe", p.stubbed)
	elsewhere := filepath.Join(filepath.Dir(filepath.Dir(alone)), "lib", p.loaderName())
	refused("alone", elsewhere+": the loader cannot be opened: is the bundle whole?, errno 02", exec.Command(alone))

	fd, _, errno := syscall.Syscall(319, uintptr(unsafe.Pointer(unsafe.StringData("probe\x00"))), 0, 0) // memfd_create
	require.Zero(t, errno)
	memory := os.NewFile(fd, "memfd")
	defer memory.Close()
	_, err = memory.Write(p.stubbed)
	require.NoError(t, err)
	refused("memfd", "/memfd:probe (deleted): no folder to find the loader from: started from memory (memfd), or moved",
		exec.Command(fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), fd)))

	if os.Geteuid() != 0 {
		t.Log("not root: a program without /proc and one with set-id bits were not tried")
		return
	}
	c := exec.Command("/bin/probe")
	c.SysProcAttr = &syscall.SysProcAttr{Chroot: p.dir}
	c.Dir = "/"
	refused("no /proc", "/bin/probe: /proc/self/exe cannot be read: is /proc mounted?, errno 02", c)
	require.NoError(t, os.Chmod(program, os.ModeSetuid|0o755))
	c = exec.Command(program)
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	require.NoError(t, exec.Command("chmod", "a+rx", p.dir, filepath.Dir(p.dir)).Run())
	refused("set-id", program+": AT_SECURE (set-id bits, capabilities): it cannot bring its loader", c)
	again := exec.Command(program)
	again.SysProcAttr, again.Env = c.SysProcAttr, []string{stub.Argv0Variable + "=sensor"}
	refused("set-id", program+": AT_SECURE (set-id bits, capabilities): it cannot bring its loader", again)
}

// TestRefusesAlignment: a loader that does not fit the kernel's pages is named.
func TestRefusesAlignment(t *testing.T) {
	m := machines[1]
	needTools(t, m)
	p := buildProbe(t, m, kind{"glibc", "-pie"})
	program := write(t, p.dir+"/bin/probe", p.stubbed)
	loader := p.dir + "/lib/" + p.loaderName()
	b, err := os.ReadFile(loader)
	require.NoError(t, err)
	f, err := elf.NewFile(bytes.NewReader(b))
	require.NoError(t, err)
	for i, s := range f.Progs {
		if s.Type == elf.PT_LOAD && s.Off > 0 {
			at := int(binary.LittleEndian.Uint64(b[32:])) + 56*i + 8
			binary.LittleEndian.PutUint64(b[at:], s.Off+0x1000)
		}
	}
	write(t, loader, b)
	_, stderr, status := output(t, exec.Command("qemu-aarch64-static", "-p", "16384", program))
	require.Equal(t, 127, status)
	require.Equal(t, "nixbundle: "+loader+": not aligned for the pages of this kernel\n", stderr)
}

// TestDebuggers: gdb lists the libraries of a program with a stub, a core file gives a whole
// backtrace, and ldd lists the libraries that the program brings.
func TestDebuggers(t *testing.T) {
	p := nativeProbe(t)
	if _, err := exec.LookPath("gdb"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("gdb is missing: run make deps")
		}
		t.Skip("needs gdb: run make deps (as root)")
	}
	for _, link := range []string{"-pie", "-no-pie"} {
		crash := p.dir + "/bin/crash" + link
		tool(t, p.triplet+"-gcc", "-g", "-O1", link, ownLibs, "-o", crash, "testdata/crash.c")
		b, err := os.ReadFile(crash)
		require.NoError(t, err)
		require.NoError(t, os.Remove(crash))
		write(t, crash, stubbed(t, b, "../lib/"+p.loaderName()))

		out := gdb(t, "-ex", "break main", "-ex", "run", "-ex", "info sharedlibrary", "-ex", "continue", "-ex", "generate-core-file "+crash+".core", crash)
		require.Contains(t, out, "Breakpoint 1, main (argc=1")
		require.Contains(t, out, "/lib/libc.so.6")
		require.Contains(t, out, "/lib/"+p.loaderName())
		out = gdb(t, "-ex", "set environment "+stub.Argv0Variable+" sensor", "-ex", "break main", "-ex", "run", "-ex", "info sharedlibrary", "-ex", "print argv[0]", crash)
		require.Contains(t, out, "Breakpoint 1, main (argc=1")
		require.Contains(t, out, "/lib/libc.so.6")
		require.Contains(t, out, "\"sensor\"\n")
		out = gdb(t, "-ex", "bt", "-ex", "info sharedlibrary", crash, crash+".core")
		for _, want := range []string{"abort ()", "inner (n=", "outer (n=", "main (argc=", "/lib/libc.so.6"} {
			require.Contains(t, out, want)
		}
		require.NotContains(t, out, "?? ()")

		for _, list := range []*exec.Cmd{exec.Command("ldd", crash), exec.Command("env", "LD_TRACE_LOADED_OBJECTS=1", crash)} {
			stdout, stderr, status := output(t, list)
			require.Zero(t, status, stderr)
			require.Contains(t, stdout, "libc.so.6 => "+p.dir+"/bin/../lib/libc.so.6")
		}
	}
}

func gdb(t *testing.T, args ...string) string {
	t.Helper()
	c := exec.Command("gdb", append([]string{"-nx", "-q", "-batch"}, args...)...)
	c.Env = append(os.Environ(), "DEBUGINFOD_URLS=")
	stdout, stderr, _ := output(t, c)
	return stdout + stderr
}

// nativeProbe is the probe for this machine.
func nativeProbe(t *testing.T) *probe {
	t.Helper()
	m := machines[0]
	if !m.native() {
		t.Skip("needs x86-64: what the kernel and gdb do with a stub is looked at there")
	}
	needTools(t, m)
	return buildProbe(t, m, kind{"glibc", "-pie"})
}

func write(t *testing.T, name string, b []byte) string {
	t.Helper()
	require.NoError(t, os.RemoveAll(name))
	require.NoError(t, os.WriteFile(name, b, 0o755))
	return name
}
