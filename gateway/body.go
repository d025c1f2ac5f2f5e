package gateway

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/modelvigil/modelvigil/internal/plain"
)

const (
	// smallBody is what a buffer begins with.
	smallBody = 64 << 10
	// maxHeldBodies is how many bodies of the largest size are held at once, in bytes.
	maxHeldBodies = 16
)

// bodies reads requests' bodies into buffers that are used again.
type bodies struct {
	max     int64 // bytes of one body
	held    atomic.Int64
	buffers sync.Pool // of *body
	gunzip  sync.Pool // of *gzip.Reader
}

// body is what a request held, whole and decompressed.
type body struct {
	bytes []byte
	held  int64
}

func newBodies(most int64) *bodies {
	return &bodies{
		max:     most,
		buffers: sync.Pool{New: func() any { return &body{bytes: make([]byte, 0, smallBody)} }},
		gunzip:  sync.Pool{New: func() any { return new(gzip.Reader) }},
	}
}

// read reads a request's body whole. free gives it back.
func (b *bodies) read(w http.ResponseWriter, r *http.Request) (*body, *problem) {
	if r.ContentLength > b.max {
		return nil, b.tooLarge("body", fmt.Sprintf("got %d", r.ContentLength))
	}
	var source io.Reader = http.MaxBytesReader(w, r.Body, b.max)
	what := "body"
	switch encodings := strings.Join(r.Header.Values("Content-Encoding"), ", "); strings.ToLower(encodings) {
	case "", "identity":
	case "gzip", "x-gzip":
		what = "decompressed body"
		reader := b.gunzip.Get().(*gzip.Reader)
		defer b.gunzip.Put(reader)
		if err := reader.Reset(source); err != nil {
			return nil, b.unreadable(err)
		}
		source = reader
	default:
		return nil, &problem{
			Status: http.StatusUnsupportedMediaType, Detail: fmt.Sprintf("Content-Encoding: must be gzip or left out, got %q", plain.Cut(encodings, 60)),
			header: http.Header{"Accept-Encoding": {"gzip"}},
		}
	}
	read := b.buffers.Get().(*body)
	if refused := b.fill(read, source, what); refused != nil {
		b.free(read)
		return nil, refused
	}
	return read, nil
}

// fill reads source to its end.
func (b *bodies) fill(into *body, source io.Reader, what string) *problem {
	into.bytes = into.bytes[:0]
	if !b.hold(into) {
		return notNow(http.StatusTooManyRequests, "too many large bodies are being read; nothing was accepted, try again")
	}
	for {
		if len(into.bytes) == cap(into.bytes) {
			grown := make([]byte, len(into.bytes), min(2*int64(cap(into.bytes)), b.max+1))
			copy(grown, into.bytes)
			into.bytes = grown
			if !b.hold(into) {
				return notNow(http.StatusTooManyRequests, "too many large bodies are being read; nothing was accepted, try again")
			}
		}
		n, err := source.Read(into.bytes[len(into.bytes):cap(into.bytes)])
		into.bytes = into.bytes[:len(into.bytes)+n]
		switch {
		case int64(len(into.bytes)) > b.max:
			return b.tooLarge(what, "got more")
		case err == io.EOF:
			return nil
		case err != nil:
			return b.unreadable(err)
		}
	}
}

// hold counts what a body holds, and is false when that is too much of all.
func (b *bodies) hold(grown *body) bool {
	more := int64(cap(grown.bytes)) - grown.held
	grown.held += more
	return b.held.Add(more) <= maxHeldBodies*(b.max+smallBody)
}

func (b *bodies) free(read *body) {
	b.held.Add(-read.held)
	read.held = 0
	b.buffers.Put(read)
}

func (b *bodies) tooLarge(what, got string) *problem {
	return &problem{
		Status: http.StatusRequestEntityTooLarge,
		Detail: fmt.Sprintf("the %s must have at most %d bytes, %s; nothing was accepted, send smaller batches", what, b.max, got),
	}
}

// unreadable says what kept a body from being read.
func (b *bodies) unreadable(err error) *problem {
	var large *http.MaxBytesError
	var late net.Error
	switch {
	case errors.As(err, &large):
		return b.tooLarge("body", "got more")
	case errors.As(err, &late) && late.Timeout():
		return &problem{Status: http.StatusRequestTimeout, Detail: "the body did not come in time; nothing was accepted"}
	}
	return &problem{Status: http.StatusBadRequest, Detail: fmt.Sprintf("read the body: %v; nothing was accepted", err)}
}
