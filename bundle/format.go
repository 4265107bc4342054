package bundle

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

// Format is what a bundle is as a file; the zero value means [FormatTarZst].
type Format string

// The formats, by the suffix of the output's name.
const (
	FormatTarZst Format = "tar.zst" // also .tzst: zstd frames with a seek table
	FormatTar    Format = "tar"     // not compressed
	FormatFolder Format = "folder"  // a name that ends in a slash: the bundle's folder goes in there
)

// FormatOf is the format that an output's name asks for. The error names the choices.
func FormatOf(output string) (Format, error) {
	base := filepath.Base(output)
	switch {
	case strings.HasSuffix(output, "/"):
		return FormatFolder, nil
	case hasSuffix(base, ".tar.zst"), hasSuffix(base, ".tzst"):
		return FormatTarZst, nil
	case hasSuffix(base, ".tar"):
		return FormatTar, nil
	}
	return "", fmt.Errorf("%s: unknown format: a name ends in .tar.zst, .tzst or .tar, or in a slash for a folder", output)
}

// hasSuffix reports whether name ends in suffix and is more than that.
func hasSuffix(name, suffix string) bool {
	return len(name) > len(suffix) && strings.HasSuffix(name, suffix)
}

// stream is the stream that a tar in the format goes through.
func (o *PackOptions) stream(w io.Writer) (stream, error) {
	switch o.Format {
	case FormatTarZst, "":
		return newFrameStream(w, o.Level, o.Workers)
	case FormatTar:
		return newPlainStream(w), nil
	}
	return nil, fmt.Errorf("a bundle of format %q cannot be written as a stream", string(o.Format))
}
