package trial

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"

	"github.com/nixbundle/nixbundle/bundle"
)

// root is where the program runs.
type root struct {
	dir      string // the folder, as seen before chroot
	bundle   string // the folder that the bundle is in, as seen inside: "", "tmp", or that of its prefix
	emulator string // qemu's path inside, where a program must be started with it; "" where the kernel does
}

// base is the folder that the private file system is mounted on, which hides what is there.
const base = "/tmp"

// makeRoot makes the root and unpacks the bundle in it. What is behind base is opened before.
func (j *job) makeRoot(archive *bundle.Archive) (*root, error) {
	target, err := openTarget(j.Root)
	if err != nil {
		return nil, err
	}
	qemus, err := j.openEmulators()
	if err != nil {
		return nil, err
	}
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return nil, &Error{What: "mounts cannot be kept private", Err: err}
	}
	if err := memory(base); err != nil {
		return nil, err
	}
	r := &root{dir: base + "/root"}
	if err := os.Mkdir(r.dir, 0o755); err != nil {
		return nil, err
	}
	within := r.dir // where files can be made
	if target == nil {
		err = makeFolders(r.dir, "proc", "dev", "tmp")
	} else {
		r.bundle, within = "tmp", r.dir+"/tmp"
		err = bindTarget(target, r.dir)
	}
	if err != nil {
		return nil, err
	}
	if j.Prefix != "" {
		r.bundle = path.Dir(j.Prefix)
		err = j.unpackAtPrefix(archive, r.dir, target != nil)
	} else {
		err = j.unpack(archive, within)
	}
	if err != nil {
		return nil, err
	}
	if err := devices(r.dir); err != nil {
		return nil, err
	}
	if err := j.emulate(qemus, r, within); err != nil {
		return nil, err
	}
	return r, processes(r.dir)
}

func makeFolders(dir string, names ...string) error {
	for _, name := range names {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			return err
		}
	}
	return nil
}

// openTarget opens the root of a target; nil for none.
func openTarget(dir string) (*os.File, error) {
	if dir == "" {
		return nil, nil
	}
	f, err := os.OpenFile(dir, os.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(dir, "tmp")); err != nil {
		return nil, &Error{What: dir + " has no folder tmp for the bundle to stand in", Do: "make one: nothing is written to it", Err: err}
	}
	return f, nil
}

// memory mounts a file system in memory.
func memory(dir string) error {
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV, "mode=0755"); err != nil {
		return &Error{What: "no file system in memory can be mounted", Err: err}
	}
	return nil
}

// bindTarget shows a target's root at dir, where it cannot be written to, with room in its tmp.
func bindTarget(target *os.File, dir string) error {
	from := fmt.Sprintf("/proc/self/fd/%d", target.Fd())
	if err := syscall.Mount(from, dir, "", syscall.MS_BIND|syscall.MS_REC, ""); err != nil {
		return &Error{What: "the target's root cannot be mounted", Err: err}
	}
	// What its file system forbids already must stay forbidden (mount_namespaces(7)).
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return err
	}
	const same = syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_NOEXEC | syscall.MS_NOATIME | syscall.MS_NODIRATIME
	flags := uintptr(st.Flags)&same | syscall.MS_BIND | syscall.MS_REMOUNT | syscall.MS_RDONLY
	if err := syscall.Mount("", dir, "", flags, ""); err != nil {
		return &Error{What: "the target's root cannot be kept from being written to", Err: err}
	}
	return memory(dir + "/tmp")
}

// unpack unpacks the bundle into a folder.
func (j *job) unpack(archive *bundle.Archive, into string) error {
	aside := base + "/unpacked"
	if err := archive.Unpack(context.Background(), aside); err != nil {
		return err
	}
	name := archive.Manifest.Name
	if into == base+"/root" && (name == "proc" || name == "dev" || name == "tmp") {
		return &Error{What: "a bundle called " + name + " has no place in an empty root", Do: "name a root: --target-root DIR"}
	}
	to := filepath.Join(into, name)
	err := os.Rename(filepath.Join(aside, name), to)
	if errors.Is(err, syscall.EXDEV) { // the target's tmp is another file system
		if err = os.Mkdir(to, 0o755); err == nil {
			err = syscall.Mount(filepath.Join(aside, name), to, "", syscall.MS_BIND, "")
		}
	}
	return err
}

// devices shows the devices that programs count on, where there is a folder for them.
func devices(dir string) error {
	dev := filepath.Join(dir, "dev")
	if st, err := os.Stat(dev); err != nil || !st.IsDir() {
		return nil
	}
	if err := memory(dev); err != nil {
		return err
	}
	for _, name := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		if _, err := os.Stat("/dev/" + name); err != nil {
			continue
		}
		if err := os.WriteFile(filepath.Join(dev, name), nil, 0o644); err != nil {
			return err
		}
		if err := syscall.Mount("/dev/"+name, filepath.Join(dev, name), "", syscall.MS_BIND, ""); err != nil {
			return err
		}
	}
	return nil
}

// processes mounts /proc, by which a loader learns where its program is. Where a container hides a
// part of its own, that one is shown.
func processes(dir string) error {
	proc := filepath.Join(dir, "proc")
	if _, err := os.Stat(proc); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	const flags = syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_NOEXEC
	err := syscall.Mount("proc", proc, "proc", flags, "")
	if err != nil {
		err = syscall.Mount("/proc", proc, "", syscall.MS_BIND|syscall.MS_REC, "")
	}
	if err != nil {
		return &Error{What: "/proc cannot be mounted", Err: err}
	}
	return nil
}
