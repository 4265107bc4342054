package cmd

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"github.com/nixbundle/nixbundle/closure"
)

// progressAfter is how long work lasts before somebody wants to know how far it is.
const progressAfter = 500 * time.Millisecond

// progress is a line on the terminal that says how far a piece of work is. It appears when the work
// lasts, and end takes it away without a trace. Nil is none, and every method does nothing then.
type progress struct {
	terminal *os.File
	title    string
	start    time.Time
	timer    *time.Timer
	broken   chan os.Signal
	ended    sync.Once

	mu          sync.Mutex
	counted     bool // the work says how far it is
	done, total int64
	over        bool
	lines       *mpb.Progress // nil until it appears
	bar         *mpb.Bar
}

// startProgress shows on the terminal at standard error how far a piece of work is, until ctx or the work
// ends; nil where that is no terminal, or one that cannot take a line back.
func (a *app) startProgress(ctx context.Context, doing, name string, quiet bool) *progress {
	terminal := terminalOf(a.rawErr)
	if quiet || terminal == nil || a.isDumb() {
		return nil
	}
	p := &progress{terminal: terminal, title: doing + " " + closure.Visible(filepath.Base(name)), start: time.Now()}
	// A pipe that nobody reads any more is then an error, with which the line goes; else it would end the
	// process under it (os/signal, "SIGPIPE").
	p.broken = make(chan os.Signal, 1)
	signal.Notify(p.broken, syscall.SIGPIPE)
	p.timer = time.AfterFunc(progressAfter, p.appear)
	context.AfterFunc(ctx, p.end)
	return p
}

// hook is what the work calls; nil where nobody is told.
func (p *progress) hook() func(done, total int64) {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	p.counted = true
	p.mu.Unlock()
	return func(done, total int64) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.done, p.total = done, total
		p.move()
	}
}

// move brings the line, where there is one, to what is known.
func (p *progress) move() {
	if p.bar != nil {
		p.bar.SetTotal(p.total, false)
		p.bar.SetCurrent(p.done)
	}
}

// appear draws the line, unless the work has ended meanwhile.
func (p *progress) appear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return
	}
	p.lines = mpb.New(mpb.WithConsoleWriter(&console{terminal: p.terminal}), mpb.WithAutoRefresh())
	if !p.counted {
		p.bar = p.lines.New(0, mpb.NopStyle(), mpb.PrependDecorators(
			decor.Name(p.title+"  "), decor.Any(func(decor.Statistics) string { return time.Since(p.start).Truncate(time.Second).String() })))
		return
	}
	p.bar = p.lines.AddBar(0,
		mpb.PrependDecorators(decor.Name(p.title), decor.Percentage(decor.WC{W: 6})),
		mpb.AppendDecorators(
			decor.CountersKiloByte("  % .1f / % .1f"), decor.NewAverageSpeed(decor.SizeB1000(0), "  % .1f", p.start),
			decor.Name("  "), decor.NewAverageETA(decor.ET_STYLE_GO, p.start, nil), decor.Name(" left"),
		))
	p.move()
}

// end takes the line away: when it returns, what is said next stands where the line was. It can be called
// again.
func (p *progress) end() {
	if p == nil {
		return
	}
	p.ended.Do(func() {
		p.timer.Stop()
		signal.Stop(p.broken)
		p.mu.Lock()
		p.over = true
		bar := p.bar
		p.bar = nil
		p.mu.Unlock()
		if bar != nil {
			bar.Abort(true)
			p.lines.Wait()
		}
	})
}

// console is where the line is drawn: each time over the last one. It begins at the left, wherever what the
// user has typed, as the "^C" that a terminal echoes, has left the cursor.
type console struct {
	bytes.Buffer
	terminal *os.File
}

func (c *console) IsTerminal() bool { return true }

func (c *console) GetTermSize() (width, height int, err error) {
	return term.GetSize(int(c.terminal.Fd()))
}

// Flush draws so many lines, and has the next ones begin with what takes them away
// (ECMA-48 8.3.22, CUU, and 8.3.39, ED).
func (c *console) Flush(lines int) error {
	if _, err := c.WriteTo(c.terminal); err != nil || lines <= 0 {
		return err
	}
	_, err := fmt.Fprintf(c, "\r\x1b[%dA\x1b[J", lines)
	return err
}
