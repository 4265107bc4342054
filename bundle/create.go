package bundle

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Create writes the bundle of p to output, in the format that its name asks for (see [FormatOf]).
// The output appears whole or not at all: it is written under a hidden name beside its place,
// synced, and renamed. On any error, and when ctx is done, what was there before is untouched and
// nothing is left.
//
// A file is replaced; where output is a link, the file it points to. In a folder, which is made if its
// parent exists, the bundle's own folder must not exist yet; files have the plan's modes whatever the umask
// is, and symbolic links the time at which they were made. A folder is not synced.
//
// Errors about a source name the source, those about writing name the output. An output that is
// one of the plan's sources is refused.
func Create(ctx context.Context, output string, p *Plan, opts PackOptions) (*Summary, error) {
	format, err := FormatOf(output)
	if err != nil {
		return nil, err
	}
	if format == FormatFolder {
		return createFolder(ctx, output, p, opts)
	}
	opts.Format = format
	target, err := settleTarget(output, p)
	if err != nil {
		return nil, aboutOutput(output, err)
	}
	return createFile(ctx, output, target, p, opts)
}

// createFile writes a temporary file beside target and renames it.
func createFile(ctx context.Context, output, target string, p *Plan, opts PackOptions) (sum *Summary, err error) {
	tmp, err := os.OpenFile(hiddenName(target), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, aboutOutput(output, err)
	}
	defer func() {
		if err != nil {
			_ = tmp.Close()
			_ = os.Remove(tmp.Name())
		}
	}()
	if sum, err = Pack(ctx, &outputWriter{tmp, output}, p, opts); err != nil {
		return nil, err
	}
	// Beyond this point the bytes are complete.
	for _, step := range []func() error{
		tmp.Sync,
		tmp.Close,
		ctx.Err,
		func() error { return os.Rename(tmp.Name(), target) },
	} {
		if err = step(); err != nil {
			return nil, aboutOutput(output, err)
		}
	}
	// The bundle is there; if the directory cannot be synced, it is there all the same.
	syncDir(filepath.Dir(target))
	return sum, nil
}

// createFolder writes the tree into a hidden folder inside output and renames it.
func createFolder(ctx context.Context, output string, p *Plan, opts PackOptions) (sum *Summary, err error) {
	if err := checkName(p.Name); err != nil {
		return nil, err
	}
	target := filepath.Join(output, p.Name)
	if _, err := os.Lstat(target); err == nil {
		return nil, fmt.Errorf("%s: exists already", target)
	}
	made := os.Mkdir(output, 0o777) == nil
	tmp := hiddenName(target)
	defer func() {
		_ = os.RemoveAll(tmp)
		if err != nil && made {
			_ = os.Remove(output)
		}
	}()
	folder, err := newFolderSink(tmp, p.Epoch)
	if err != nil {
		return nil, aboutOutput(output, err)
	}
	if sum, err = pack(ctx, &outputSink{folder, output}, p, opts); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := os.Rename(filepath.Join(tmp, p.Name), target); err != nil {
		return nil, aboutOutput(output, err)
	}
	return sum, nil
}

// settleTarget is the file that will be replaced or made: where output is a link, what it points to.
func settleTarget(output string, p *Plan) (string, error) {
	if _, err := os.Lstat(output); errors.Is(err, fs.ErrNotExist) {
		return output, nil
	}
	target, err := filepath.EvalSymlinks(output)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(target)
	if err != nil {
		return "", err
	}
	if info.IsDir() {
		return "", errors.New("is a folder: end the name in a slash to put the bundle in there")
	}
	if !info.Mode().IsRegular() {
		return "", errors.New("is not a regular file")
	}
	return target, p.notSource(info)
}

// notSource refuses a file that is a source of the plan.
func (p *Plan) notSource(info fs.FileInfo) error {
	for i := range p.Entries {
		o := p.Entries[i].Object
		if o == nil || o.Size != info.Size() {
			continue
		}
		f, err := o.Open()
		if err != nil {
			return err
		}
		source, ok := f.(interface{ Stat() (fs.FileInfo, error) })
		if ok {
			if stat, err := source.Stat(); err == nil && os.SameFile(stat, info) {
				_ = f.Close()
				return errors.New("is itself one of the files to pack")
			}
		}
		_ = f.Close()
	}
	return nil
}

// hiddenName is a name beside target that nobody else has.
func hiddenName(target string) string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return filepath.Join(filepath.Dir(target), ".nixbundle-"+hex.EncodeToString(b[:])+".tmp")
}

// syncDir makes a rename in dir last.
func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
}

// outputWriter names the output, and not the temporary file, in errors.
type outputWriter struct {
	file   *os.File
	output string
}

func (w *outputWriter) Write(b []byte) (int, error) {
	n, err := w.file.Write(b)
	return n, aboutOutput(w.output, err)
}

// aboutOutput is an error about the output in the words of the one who named it.
func aboutOutput(output string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	var link *os.LinkError
	var file *fs.PathError
	switch {
	case errors.As(err, &link):
		err = link.Err
	case errors.As(err, &file):
		err = file.Err
	}
	return fmt.Errorf("%s: %w", strings.TrimSuffix(output, "/"), err)
}

// outputSink names the output in errors of a folder.
type outputSink struct {
	*folderSink
	output string
}

func (t *outputSink) begin(n header) error { return aboutOutput(t.output, t.folderSink.begin(n)) }
func (t *outputSink) filled(n int) error   { return aboutOutput(t.output, t.folderSink.filled(n)) }
func (t *outputSink) end() error           { return aboutOutput(t.output, t.folderSink.end()) }
func (t *outputSink) close() error         { return aboutOutput(t.output, t.folderSink.close()) }
