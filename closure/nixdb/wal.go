package nixdb

import (
	"bufio"
	"encoding/binary"
	"io"
	"maps"
	"math"
)

const (
	walHeadSize  = 32         // fileformat2.html, 4.1
	frameSize    = 24         // what stands before each page
	walMagic     = 0x377f0682 // the lowest bit: check sums are of big-endian words
	walVersion   = 3007000
	walSalts     = 16 // where in the header, and 8 in a frame: two words
	walReadAhead = 1 << 18
)

// readLog finds the last committed state of each page in the write-ahead log. The log ends at the first
// frame that is of an earlier use of the file, or was not written wholly.
func (f *file) readLog() error {
	h := f.walHead[:]
	if f.wal == nil || binary.BigEndian.Uint32(h)&^1 != walMagic {
		return nil
	}
	sum := checksum{order: binary.LittleEndian}
	if binary.BigEndian.Uint32(h)&1 == 1 {
		sum.order = binary.BigEndian
	}
	if sum.add(h[:24]); !sum.is(h[24:]) {
		return nil // SQLite takes such a log for an empty one
	}
	if size := binary.BigEndian.Uint32(h[8:]); binary.BigEndian.Uint32(h[4:]) != walVersion || int64(size) != int64(f.pageSize) {
		return &FormatError{f.name + "-wal", 4, "not the log of this database"}
	}
	frame := make([]byte, frameSize+f.pageSize)
	frames := bufio.NewReaderSize(io.NewSectionReader(f.wal, walHeadSize, math.MaxInt64-walHeadSize), walReadAhead)
	f.logged = map[uint32]int64{}
	open := map[uint32]int64{} // of a transaction without its end
	for off := int64(walHeadSize); ; off += int64(len(frame)) {
		if _, err := io.ReadFull(frames, frame); err != nil || string(frame[8:16]) != string(h[walSalts:walSalts+8]) {
			return nil
		}
		sum.add(frame[:8])
		if sum.add(frame[frameSize:]); !sum.is(frame[16:]) {
			return nil
		}
		open[binary.BigEndian.Uint32(frame)] = off + frameSize
		pages := binary.BigEndian.Uint32(frame[4:])
		if pages == 0 {
			continue
		}
		f.pages = pages // the last frame of a transaction says how many there are
		maps.Copy(f.logged, open)
		clear(open)
	}
}

// checksum is the running check sum of a log (fileformat2.html, 4.2).
type checksum struct {
	order  binary.ByteOrder
	s0, s1 uint32
}

func (c *checksum) add(p []byte) {
	for ; len(p) >= 8; p = p[8:] {
		c.s0 += c.order.Uint32(p) + c.s1
		c.s1 += c.order.Uint32(p[4:]) + c.s0
	}
}

func (c *checksum) is(p []byte) bool {
	return binary.BigEndian.Uint32(p) == c.s0 && binary.BigEndian.Uint32(p[4:]) == c.s1
}
