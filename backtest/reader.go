package backtest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
)

// maxLineBytes bounds a line of input, and so the memory that reading takes
// beside what it keeps. An event at its bounds has some 20 KiB.
const maxLineBytes = 1 << 20

var (
	errLongLine    = fmt.Errorf("is longer than %d MiB; one line holds one event", maxLineBytes>>20)
	errNoTimestamp = errors.New("timestamp: is missing; a backtest has no other clock")
)

// Reader reads files of events into its Recorder. What it can't take is rejected
// row by row.
type Reader struct {
	Recorder
	// ModelName is whose the events are that name no model; empty means that each
	// must name one.
	ModelName string
	// Columns says which column of a CSV holds a field or metric, by the field's
	// name, where that is not the column's own.
	Columns map[string]string
	// OnRejection, where set, hears of each row that is rejected. An error that it
	// returns ends the reading.
	OnRejection func(*Rejection) error
	// OnNote, where set, hears of what is odd but no fault.
	OnNote func(file, text string)

	ctx   context.Context
	file  string
	lines *bufio.Reader
	line  int // last read, from 1
}

// Read reads one file: CSV, or JSON events one to a line or in arrays, either of
// them compressed by gzip. It ends with the context, at a row where OnRejection
// says so, and where the file can't be read on.
func (r *Reader) Read(ctx context.Context, file string, source io.Reader) error {
	buffered := bufio.NewReaderSize(source, 64<<10)
	if magic, _ := buffered.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		unzipped, err := gzip.NewReader(buffered)
		if err != nil {
			return fmt.Errorf("%s: not gzip: %w", file, err)
		}
		source = unzipped
	} else {
		source = buffered
	}

	r.ctx = ctx
	r.file = file
	r.line = 0
	r.lines = bufio.NewReaderSize(source, maxLineBytes)
	if mark, _ := r.lines.Peek(3); bytes.Equal(mark, []byte("\uFEFF")) {
		_, _ = r.lines.Discard(3)
	}
	first, err := r.firstByte()
	switch {
	case err != nil && errors.Is(err, io.EOF):
		return fmt.Errorf("%s: is empty", file)
	case err != nil:
	case first == '[' && !r.arrayOnOneLine():
		err = r.readArray()
	case first == '[' || first == '{':
		err = r.readJSONLines()
	default:
		err = r.readCSV()
	}

	var rejection *Rejection
	switch {
	case err == nil || errors.As(err, &rejection):
		return err
	case ctx.Err() != nil:
		return fmt.Errorf("%s: interrupted after line %d: %w", file, r.line, err)
	}

	return fmt.Errorf("%s: after line %d: %w", file, r.line, err)
}

// firstByte passes over blank space and returns what comes then, unread.
func (r *Reader) firstByte() (byte, error) {
	for {
		b, err := r.lines.ReadByte()
		switch {
		case err != nil:
			return 0, err
		case b == '\n':
			r.line++
		case b != ' ' && b != '\t' && b != '\r':
			return b, r.lines.UnreadByte()
		}
	}
}

// contextLines is how many lines are read between two looks at the context.
const contextLines = 4096

// next returns the next line that is not blank, valid until the call after, and
// io.EOF at the end. A line that is too long is errLongLine.
func (r *Reader) next() ([]byte, error) {
	for {
		if r.line%contextLines == 0 && r.ctx.Err() != nil {
			return nil, r.ctx.Err()
		}

		line, err := r.lines.ReadSlice('\n')
		if len(line) > 0 || err == nil {
			r.line++
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = r.lines.ReadSlice('\n')
			}
			if err == nil || errors.Is(err, io.EOF) {
				err = errLongLine
			}
			return nil, err
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		if trimmed := bytes.TrimRight(line, "\r\n"); len(bytes.TrimSpace(trimmed)) > 0 {
			return trimmed, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// rejected tells of a row, which is counted already.
func (r *Reader) rejected(line int, err error) error {
	if r.OnRejection == nil {
		return nil
	}
	return r.OnRejection(&Rejection{r.file, line, err})
}

func (r *Reader) note(format string, args ...any) {
	if r.OnNote != nil {
		r.OnNote(r.file, fmt.Sprintf(format, args...))
	}
}
