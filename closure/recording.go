package closure

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Recording is what a run of programs opened, as a log tells that was written meanwhile. What was not
// there is not in it.
type Recording struct {
	Opens   []RecordedOpen // libraries opened by dlopen, in order, each once
	Files   []string       // files that were opened or executed, absolute paths as text, in order, each once
	Folders []string       // folders that were opened, the same way
}

// RecordedOpen is one dlopen that found something.
type RecordedOpen struct {
	By   string // the path of the object that called, as opened; "" for the program
	Name string // as it was asked for: a name or a path
}

const (
	maxLogLine = 64 << 10 // a longer line tells nothing of use
	maxLogText = 64 << 20 // bytes of names that are kept of one log
	maxLogPIDs = 1 << 14  // processes and threads of one log
)

// ReadRecording reads a log of LD_DEBUG=files or =libs (ld.so(8)), of strace -f, or of qemu's -strace:
// which one, each line tells, so that they may be mixed with each other and with what the program says.
// A log without a line of any of them is an error, and so is one that names too much.
func ReadRecording(r io.Reader) (*Recording, error) {
	log := &logReader{
		opens: map[RecordedOpen]bool{}, files: map[string]bool{}, folders: map[string]bool{},
		debug: map[string]*debugged{}, traced: map[string]string{}, programs: map[string]bool{"<main program>": true},
	}
	in := bufio.NewReaderSize(r, maxLogLine)
	for {
		line, err := logLine(in)
		if err != nil && err != io.EOF {
			return nil, err
		}
		if line != "" && !log.debugLine(line) {
			log.traceLine(line)
		}
		if log.text > maxLogText {
			return nil, fmt.Errorf("names more than %d bytes of files", maxLogText)
		}
		if err == io.EOF {
			break
		}
	}
	if !log.known {
		return nil, errors.New("is no log of LD_DEBUG=files, strace or qemu's -strace")
	}
	for i := range log.Opens {
		if log.programs[log.Opens[i].By] {
			log.Opens[i].By = ""
		}
	}
	return &log.Recording, nil
}

// logLine is the next line, "" for one that is too long.
func logLine(in *bufio.Reader) (string, error) {
	line, err := in.ReadSlice('\n')
	if err != bufio.ErrBufferFull {
		return string(bytes.TrimRight(line, "\r\n")), err
	}
	for err == bufio.ErrBufferFull {
		_, err = in.ReadSlice('\n')
	}
	return "", err
}

// logReader is a log that is being read.
type logReader struct {
	Recording
	opens          map[RecordedOpen]bool
	files, folders map[string]bool
	text           int  // bytes of names
	known          bool // a line was of a kind that is known

	debug    map[string]*debugged // by process
	programs map[string]bool      // what LD_DEBUG calls programs
	traced   map[string]string    // by process: a call that is not finished
}

// file adds a file; one with a relative path could be any.
func (l *logReader) file(at string) { add(l, &l.Files, l.files, at) }

func (l *logReader) folder(at string) { add(l, &l.Folders, l.folders, at) }

func add(l *logReader, list *[]string, have map[string]bool, at string) {
	if strings.HasPrefix(at, "/") && isOpenable(at) && !have[at] {
		have[at] = true
		*list = append(*list, at)
		l.text += len(at)
	}
}

// open adds a library that was opened.
func (l *logReader) open(o RecordedOpen) {
	if isOpenable(o.Name) && !l.opens[o] {
		l.opens[o] = true
		l.Opens = append(l.Opens, o)
		l.text += len(o.By) + len(o.Name)
	}
}
