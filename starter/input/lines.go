// Package input is what commands read: recorded events of files and streams, lines, and
// how far they are with it.
package input

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/modelvigil/modelvigil/internal/strict"
)

// maxLineBytes bounds a line of events, and so the memory that reading takes. An
// event at its bounds has some 20 KiB.
const maxLineBytes = 1 << 20

// ErrLongLine says that a line was passed over.
var ErrLongLine = fmt.Errorf("is longer than %d MiB, and was passed over; one line holds one event", maxLineBytes>>20)

// Lines reads a stream line by line, however long it and its lines are.
type Lines struct {
	reader *bufio.Reader
	Number int // of the line last read, from 1
}

// NewLines returns the lines of r until ctx ends, even while r has nothing to
// read.
func NewLines(ctx context.Context, r io.Reader) *Lines {
	return &Lines{reader: bufio.NewReaderSize(Interruptible(ctx, r), maxLineBytes)}
}

// Next returns the next line that is not blank, valid until the call after. A
// line that is too long gives ErrLongLine, the end io.EOF.
func (l *Lines) Next() ([]byte, error) {
	for {
		line, err := l.reader.ReadSlice('\n')
		l.Number++
		if errors.Is(err, bufio.ErrBufferFull) {
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = l.reader.ReadSlice('\n')
			}
			if err != nil && !errors.Is(err, io.EOF) {
				return nil, err
			}
			return nil, ErrLongLine
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err // the rest of the line may never have come
		}

		if l.Number == 1 {
			line = bytes.TrimPrefix(line, strict.ByteOrderMark)
		}
		line = bytes.TrimSpace(line)
		if len(line) > 0 || err != nil {
			if len(line) == 0 {
				return nil, err
			}
			return line, nil
		}
	}
}
