package cmd

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// writeWhole writes a file that appears whole or not at all. Where the name is a link, that is what it points to. What is
// no regular file, such as a pipe or /dev/stdout, cannot be replaced and is written to. Errors name the file.
func writeWhole(name string, data []byte) error {
	info, err := os.Stat(name)
	if _, there := os.Lstat(name); err != nil && there != nil && errors.Is(err, fs.ErrNotExist) {
		info, err = nil, nil
	}
	switch {
	case err != nil: // among others a link that leads nowhere
	case info == nil || info.Mode().IsRegular():
		err = replace(name, info, data)
	case info.IsDir():
		err = errors.New("is a folder")
	default:
		err = writeTo(name, data)
	}
	var link *os.LinkError
	var file *fs.PathError
	switch {
	case errors.As(err, &link):
		err = link.Err
	case errors.As(err, &file):
		err = file.Err
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// writeTo writes to what is there.
func writeTo(name string, data []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// replace writes a file beside its place, and renames it. What was there, if anything was, keeps its mode.
func replace(name string, was fs.FileInfo, data []byte) error {
	mode := fs.FileMode(0o666) // less the umask
	if was != nil {
		target, err := filepath.EvalSymlinks(name)
		if err != nil {
			return err
		}
		name, mode = target, was.Mode().Perm()
	}
	hidden := filepath.Join(filepath.Dir(name), ".nixbundle-"+rand.Text()+".tmp")
	f, err := os.OpenFile(hidden, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(hidden) }()
	_, err = f.Write(data)
	if was != nil {
		err = errors.Join(err, f.Chmod(mode))
	}
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(hidden, name)
}
