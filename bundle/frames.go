package bundle

import (
	"io"
	"runtime"

	"github.com/klauspost/compress/zstd"
)

// The bytes of a bundle depend on these two; neither depends on the machine.
const (
	frameSize  = 16 << 20 // bytes before compression that one frame holds at most
	windowSize = 8 << 20  // how far back a match may reach: every decoder has that much memory
)

// frameStream packs what it takes into zstd frames that know nothing of each other, with content
// size and checksum, and ends with a seek table (see seektable.go). Frames are cut every frameSize
// bytes and where cut says so, whoever packs them and however the bytes arrive: several workers
// give the bytes that one gives. Each worker packs one frame at a time; a single goroutine writes
// them in the order of the stream.
//
// Two more frames than workers exist at most: one that is being filled, and one that waits for a
// worker or for their turn to be written.
type frameStream struct {
	out     io.Writer
	level   zstd.EncoderLevel
	workers int

	cur      *frame // being filled; nil when the next byte needs a new one
	in       int64  // bytes taken
	spawned  int    // workers that run
	made     int    // frames that exist
	finished bool   // close or abort was called

	free  chan *frame   // empty frames
	jobs  chan *frame   // filled frames, for the workers
	order chan *frame   // the same frames, for the writer
	stop  chan struct{} // closed by abort
	done  chan struct{} // closed when the writer has ended

	table []extent // of the frames written; the writer's until done is closed
	size  int64    // bytes written; likewise
	err   error    // why the writer ended; likewise
}

// frame is one frame on its way.
type frame struct {
	raw    []byte
	packed []byte
	ready  chan struct{} // packed is complete
}

// newFrameStream starts a stream; workers below 1 means one for each processor that Go may use.
func newFrameStream(out io.Writer, level Level, workers int) (*frameStream, error) {
	enc, err := level.encoder()
	if err != nil {
		return nil, err
	}
	if workers < 1 {
		workers = runtime.GOMAXPROCS(0)
	}
	limit := workers + 2
	s := &frameStream{
		out: out, level: enc, workers: workers,
		free: make(chan *frame, limit), jobs: make(chan *frame, limit), order: make(chan *frame, limit),
		stop: make(chan struct{}), done: make(chan struct{}),
	}
	go s.write()
	return s, nil
}

func (s *frameStream) room() ([]byte, error) {
	if s.cur == nil {
		if err := s.take(); err != nil {
			return nil, err
		}
	}
	n := len(s.cur.raw)
	return s.cur.raw[n:min(n+chunkSize, frameSize)], nil
}

// take gets an empty frame. It waits where all are on their way: that bounds the memory.
func (s *frameStream) take() error {
	select {
	case s.cur = <-s.free:
		return nil
	default:
	}
	if s.made < cap(s.free) {
		s.made++
		s.cur = &frame{raw: make([]byte, 0, frameSize), ready: make(chan struct{}, 1)}
		return nil
	}
	select {
	case s.cur = <-s.free:
		return nil
	case <-s.done:
		return s.err
	}
}

func (s *frameStream) filled(n int) error {
	s.cur.raw = s.cur.raw[:len(s.cur.raw)+n]
	s.in += int64(n)
	if len(s.cur.raw) < frameSize {
		return nil
	}
	return s.cut()
}

// cut sends the frame being filled on its way; an empty one stays.
func (s *frameStream) cut() error {
	if s.cur == nil || len(s.cur.raw) == 0 {
		return nil
	}
	if s.spawned < s.workers {
		enc, err := zstd.NewWriter(nil,
			zstd.WithEncoderLevel(s.level), zstd.WithWindowSize(windowSize),
			zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(true))
		if err != nil {
			return err
		}
		s.spawned++
		go s.pack(enc)
	}
	s.order <- s.cur // neither blocks: no more frames exist than there is room for
	s.jobs <- s.cur
	s.cur = nil
	return nil
}

// pack is a worker. After abort it ends with the frame it is at.
func (s *frameStream) pack(enc *zstd.Encoder) {
	for f := range s.jobs {
		select {
		case <-s.stop:
			return
		default:
		}
		if f.packed == nil {
			f.packed = make([]byte, 0, frameSize/2)
		}
		f.packed = enc.EncodeAll(f.raw, f.packed[:0])
		f.ready <- struct{}{}
	}
}

// write is the writer: it ends after the last frame, at the first error, or at abort.
func (s *frameStream) write() {
	defer close(s.done)
	for f := range s.order {
		select {
		case <-f.ready:
		case <-s.stop:
			return
		}
		if _, s.err = s.out.Write(f.packed); s.err != nil {
			return
		}
		s.table = append(s.table, extent{packed: uint32(len(f.packed)), raw: uint32(len(f.raw))})
		s.size += int64(len(f.packed))
		f.raw = f.raw[:0]
		s.free <- f
	}
}

func (s *frameStream) close() error {
	if err := s.cut(); err != nil {
		return err
	}
	s.finish()
	if s.err != nil {
		return s.err
	}
	table := appendSeekTable(nil, s.table)
	s.size += int64(len(table))
	_, err := s.out.Write(table)
	return err
}

// abort gives up the stream: afterwards nothing is written any more.
func (s *frameStream) abort() {
	if s.finished {
		return
	}
	close(s.stop)
	s.finish()
}

// finish waits for the writer, which is all that touches out.
func (s *frameStream) finish() {
	s.finished = true
	close(s.jobs)
	close(s.order)
	<-s.done
}

func (s *frameStream) written() (in, out int64) { return s.in, s.size }
