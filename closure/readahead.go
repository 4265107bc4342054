package closure

import (
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/nixbundle/nixbundle/elfpatch"
)

// readAhead reads files on the other processors before the walk comes to them. It saves time and
// decides nothing: the walk takes what was read in its own order, as if it had read it itself.
type readAhead struct {
	tree    *tree
	queue   chan *reading
	added   int // files, so far
	readers sync.WaitGroup
}

// reading is a file that is read ahead, by whoever takes it first.
type reading struct {
	node  *node
	taken atomic.Bool
	done  chan struct{}
	contents
}

const (
	minAhead   = 32      // files from which on other processors are worth waking
	maxAhead   = 512     // files in the queue; what finds no room is read when the walk comes to it
	maxGuesses = 1 << 18 // places looked at for one process
)

// newReadAhead is nil where there is one processor.
func newReadAhead(t *tree) *readAhead {
	if runtime.GOMAXPROCS(0) == 1 {
		return nil
	}
	return &readAhead{tree: t, queue: make(chan *reading, maxAhead)}
}

// start starts the readers.
func (a *readAhead) start() {
	for range runtime.GOMAXPROCS(0) - 1 {
		a.readers.Go(func() {
			var reader elfpatch.Reader
			for r := range a.queue {
				a.read(r, &reader)
			}
		})
	}
}

// stopReadAhead ends the readers; what is still in the queue nobody has come to.
func (w *walker) stopReadAhead() {
	if w.ahead == nil {
		return
	}
	for len(w.ahead.queue) > 0 {
		select {
		case <-w.ahead.queue:
		default:
		}
	}
	close(w.ahead.queue)
	w.ahead.readers.Wait()
	w.ahead = nil
}

// add puts a file in the queue.
func (a *readAhead) add(n *node) {
	if n.opened || n.reading != nil || len(a.queue) == cap(a.queue) {
		return
	}
	n.reading = &reading{node: n, done: make(chan struct{})}
	a.queue <- n.reading
	if a.added++; a.added == minAhead {
		a.start()
	}
}

// read reads a file that nobody has taken yet.
func (a *readAhead) read(r *reading, reader *elfpatch.Reader) {
	if r.taken.CompareAndSwap(false, true) {
		r.contents = a.tree.contents(r.node, reader)
		close(r.done)
	}
}

// get gives what was read of a file, and reads others while another processor is at it.
func (a *readAhead) get(r *reading, reader *elfpatch.Reader) contents {
	a.read(r, reader)
	for {
		select {
		case <-r.done:
			return r.contents
		case other := <-a.queue:
			a.read(other, reader)
		}
	}
}

// readNeeds has the files read that an object's needs will most likely be answered with.
func (p *process) readNeeds(l *Loaded) {
	if p.ahead == nil {
		return
	}
	for _, name := range l.Object.Info.Needed {
		_, loaded := p.names[name]
		if _, bySoname := p.sonames[name]; loaded || bySoname || p.guessed[name] {
			continue
		}
		p.guessed[name] = true
		if n := p.guess(name, l); n != nil {
			p.ahead.add(n)
		}
	}
}

// guess is the first file in the search order of a name.
func (p *process) guess(name string, by *Loaded) *node {
	if strings.Contains(name, "/") {
		return nil
	}
	for _, source := range p.order {
		for _, list := range source(p, by, name) {
			for _, place := range list.places {
				if p.guesses++; p.guesses > maxGuesses {
					return nil
				}
				if place.never != "" {
					continue
				}
				if n, err := p.find(place, name); err == nil && n.mode.IsRegular() {
					return n
				}
			}
		}
	}
	return nil
}
