package trial

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/nixbundle/nixbundle/bundle"
)

// unpackAtPrefix unpacks a bundle that has its place to that place in the root at dir, through no link. A
// target's root gets it laid over the last folder that is there.
func (j *job) unpackAtPrefix(archive *bundle.Archive, dir string, target bool) error {
	if top, _, _ := strings.Cut(strings.TrimPrefix(j.Prefix, "/"), "/"); top == "proc" || top == "dev" || top == "sys" {
		return &Error{What: j.Prefix + " is no place for files", Do: "make the bundle for another prefix"}
	}
	aside := base + "/unpacked"
	if err := archive.Unpack(context.Background(), aside); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if target {
		if err := j.layOver(root, dir); err != nil {
			return err
		}
	}
	rel := strings.TrimPrefix(j.Prefix, "/")
	if err := makeWay(root, rel); err != nil {
		return &Error{What: "the bundle has no place at " + j.Prefix, Err: err, Do: "make a folder for it there: nothing is written to it"}
	}
	return syscall.Mount(filepath.Join(aside, archive.Manifest.Name), filepath.Join(dir, rel), "", syscall.MS_BIND, "")
}

// layOver lays a file system in memory over the last folder on the way to the prefix that is there, where the
// prefix is not. It must not be the root itself.
func (j *job) layOver(root *os.Root, dir string) error {
	there, parts := "", strings.Split(strings.TrimPrefix(j.Prefix, "/"), "/")
	for _, part := range parts {
		st, err := root.Lstat(filepath.Join(there, part))
		if err != nil || !st.IsDir() {
			break
		}
		there = filepath.Join(there, part)
	}
	switch {
	case "/"+there == j.Prefix:
		return nil
	case there == "" || there == "tmp":
		return nil // tmp is in memory already
	}
	for _, name := range []string{"/over", "/over/upper", "/over/work"} {
		if err := os.Mkdir(base+name, 0o755); err != nil {
			return err
		}
	}
	lower, err := root.OpenFile(there, os.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer lower.Close()
	// Linux Documentation/filesystems/overlayfs.rst; in a user namespace since 5.11
	options := fmt.Sprintf("lowerdir=/proc/self/fd/%d,upperdir=%s/over/upper,workdir=%s/over/work,userxattr", lower.Fd(), base, base)
	if err := syscall.Mount("overlay", filepath.Join(dir, there), "overlay", syscall.MS_NOSUID|syscall.MS_NODEV, options); err != nil {
		return &Error{What: "nothing can be laid over /" + there, Err: err, Do: "make a folder " + j.Prefix + " in the root: nothing is written to it"}
	}
	return nil
}

// makeWay makes the folders to a place, through no link.
func makeWay(root *os.Root, rel string) error {
	at := ""
	for _, part := range strings.Split(rel, "/") {
		at = filepath.Join(at, part)
		st, err := root.Lstat(at)
		switch {
		case os.IsNotExist(err):
			err = root.Mkdir(at, 0o755)
		case err == nil && !st.IsDir():
			err = fmt.Errorf("/%s is no folder", at)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
