package main

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

var errLongLine = fmt.Errorf("is longer than %d MiB, and was passed over; one line holds one event", maxLineBytes>>20)

// lines reads a stream line by line, however long it and its lines are.
type lines struct {
	reader *bufio.Reader
	number int // of the line last read, from 1
}

// newLines returns the lines of r until ctx ends, even while r has nothing to
// read.
func newLines(ctx context.Context, r io.Reader) *lines {
	return &lines{reader: bufio.NewReaderSize(newInterruptible(ctx, r), maxLineBytes)}
}

// next returns the next line that is not blank, valid until the call after. A
// line that is too long gives errLongLine, the end io.EOF.
func (l *lines) next() ([]byte, error) {
	for {
		line, err := l.reader.ReadSlice('\n')
		l.number++
		if errors.Is(err, bufio.ErrBufferFull) {
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = l.reader.ReadSlice('\n')
			}
			if err != nil && !errors.Is(err, io.EOF) {
				return nil, err
			}
			return nil, errLongLine
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err // the rest of the line may never have come
		}

		if l.number == 1 {
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

// interruptible is a reader whose Read ends with its context. The goroutine that
// reads for it stays behind if the source never answers, until the process ends.
type interruptible struct {
	ctx    context.Context
	chunks chan chunk
	free   chan []byte
	rest   []byte
	buffer []byte // that rest lies in
	err    error
}

type chunk struct {
	buffer []byte
	length int
	err    error
}

const chunkBytes = 64 << 10

func newInterruptible(ctx context.Context, source io.Reader) *interruptible {
	r := &interruptible{ctx: ctx, chunks: make(chan chunk), free: make(chan []byte, 2)}
	r.free <- make([]byte, chunkBytes)
	r.free <- make([]byte, chunkBytes)
	go func() {
		for {
			var buffer []byte
			select {
			case buffer = <-r.free:
			case <-ctx.Done():
				return
			}

			n, err := source.Read(buffer)
			select {
			case r.chunks <- chunk{buffer, n, err}:
			case <-ctx.Done():
				return
			}

			if err != nil {
				return
			}
		}
	}()
	return r
}

// Read implements io.Reader.
func (r *interruptible) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		if r.buffer != nil {
			r.free <- r.buffer
			r.buffer = nil
		}

		if r.err != nil {
			return 0, r.err
		}

		select {
		case c := <-r.chunks:
			r.buffer = c.buffer
			r.rest = c.buffer[:c.length]
			r.err = c.err
		case <-r.ctx.Done():
			r.err = r.ctx.Err()
		}
	}

	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}
