package bundle

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The seek table of the zstd "seekable format" (contrib/seekable_format in zstd): a skippable
// frame at the end of the file, which every zstd decoder passes over. All numbers are little-endian.
//
//	magic 0x184D2A5E, uint32 length of what follows
//	for each frame: uint32 packed bytes, uint32 raw bytes[, uint32 checksum]
//	footer: uint32 number of frames, uint8 descriptor, magic 0x8F92EAB1
//
// Bit 7 of the descriptor says that there are checksums. Ours has none: each frame has its own.
const (
	seekFrameMagic  = 0x184D2A5E
	seekFooterMagic = 0x8F92EAB1
	seekHeaderSize  = 8
	seekFooterSize  = 9
	seekChecksums   = 0x80
	seekMaxFrames   = 1 << 20 // 16 TiB in frames of ours
)

// extent is the size of one frame, in bytes.
type extent struct{ packed, raw uint32 }

// appendSeekTable appends the table of frames to b.
func appendSeekTable(b []byte, frames []extent) []byte {
	le := binary.LittleEndian
	b = le.AppendUint32(b, seekFrameMagic)
	b = le.AppendUint32(b, uint32(8*len(frames)+seekFooterSize))
	for _, f := range frames {
		b = le.AppendUint32(b, f.packed)
		b = le.AppendUint32(b, f.raw)
	}
	b = le.AppendUint32(b, uint32(len(frames)))
	b = append(b, 0)
	return le.AppendUint32(b, seekFooterMagic)
}

// errNoSeekTable: the file does not end in a seek table; it may be a good zstd file all the same.
var errNoSeekTable = errors.New("no seek table")

// readSeekTable reads the table at the end of a file of size bytes. A table that is there must
// account for every byte of the file.
func readSeekTable(src io.ReaderAt, size int64) ([]extent, error) {
	var footer [seekFooterSize]byte
	if size < seekHeaderSize+seekFooterSize {
		return nil, errNoSeekTable
	}
	if _, err := src.ReadAt(footer[:], size-seekFooterSize); err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	if le.Uint32(footer[5:]) != seekFooterMagic {
		return nil, errNoSeekTable
	}
	entry := int64(8)
	if footer[4]&seekChecksums != 0 {
		entry = 12
	}
	n := int64(le.Uint32(footer[:]))
	length := seekHeaderSize + n*entry + seekFooterSize
	if n > seekMaxFrames || length > size {
		return nil, fmt.Errorf("seek table of %d frames in a file of %d bytes", n, size)
	}
	table := make([]byte, length)
	if _, err := src.ReadAt(table, size-length); err != nil {
		return nil, err
	}
	return parseSeekTable(table, entry, size-length)
}

// parseSeekTable decodes a whole table whose frames are to fill packed bytes.
func parseSeekTable(table []byte, entry, packed int64) ([]extent, error) {
	le := binary.LittleEndian
	if le.Uint32(table) != seekFrameMagic || int64(le.Uint32(table[4:])) != int64(len(table))-seekHeaderSize {
		return nil, errors.New("seek table does not start where its length says")
	}
	rows := table[seekHeaderSize : len(table)-seekFooterSize]
	frames := make([]extent, 0, int64(len(rows))/entry)
	for ; len(rows) > 0; rows = rows[entry:] {
		e := extent{packed: le.Uint32(rows), raw: le.Uint32(rows[4:])}
		frames = append(frames, e)
		packed -= int64(e.packed)
	}
	if packed != 0 {
		return nil, fmt.Errorf("seek table misses the file's size by %d bytes", packed)
	}
	return frames, nil
}
