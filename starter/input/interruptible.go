package input

import (
	"context"
	"io"
)

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

// Interruptible reads from source until ctx ends.
func Interruptible(ctx context.Context, source io.Reader) io.Reader {
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
