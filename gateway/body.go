package gateway

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/internal/share"
)

const (
	// firstBuffer is what is held for a body whose length is not known, or not
	// believed: 1,000 who announce 8 MiB and send a byte hold 4 MiB.
	firstBuffer = 4 << 10
	// Buffers of these sizes are used again.
	leastKept, mostKept = 64 << 10, 1 << 20
	// roomForBodies is how many bodies of the largest size are held at once, in bytes:
	// as they come, decompressed and decoded.
	roomForBodies = 12
	// leastTaken is that for small bounds.
	leastTaken = 4 << 20
)

// pace is how fast a body has to come in. Whoever is slower holds memory and a
// connection for nothing.
type pace struct {
	grace, most time.Duration // before the rate counts, and altogether
	rate        int64         // bytes a second
}

var defaultPace = pace{grace: 10 * time.Second, most: time.Minute, rate: 8 << 10}

// bodies reads requests' bodies, within the memory that there is for them.
type bodies struct {
	max     int64 // bytes of one body, also once it is decompressed
	pace    pace
	room    *share.Pool // bytes of memory
	buffers sync.Pool   // of *[]byte, of leastKept to mostKept bytes
	gunzip  sync.Pool   // of *gzip.Reader
}

func newBodies(most int64) *bodies {
	return &bodies{
		max: most, pace: defaultPace, room: share.New(max(roomForBodies*most, leastTaken)),
		gunzip: sync.Pool{New: func() any { return new(gzip.Reader) }},
	}
}

// memory is what a request holds of the room for bodies.
type memory struct {
	bodies *bodies
	party  string
	taken  int64
}

// take takes so many bytes more for the request.
func (m *memory) take(bytes int64) bool {
	if !m.bodies.room.Take(m.party, bytes) {
		return false
	}
	m.taken += bytes
	return true
}

// free gives all back.
func (m *memory) free() {
	m.bodies.room.Give(m.party, m.taken)
	m.taken = 0
}

// isPacked says whether a body is compressed.
func isPacked(r *http.Request) (bool, *problem) {
	switch encodings := strings.Join(r.Header.Values("Content-Encoding"), ", "); strings.ToLower(encodings) {
	case "", "identity":
		return false, nil
	case "gzip", "x-gzip":
		return true, nil
	default:
		return false, &problem{
			Status: http.StatusUnsupportedMediaType, Detail: fmt.Sprintf("Content-Encoding: must be gzip or left out, got %q", plain.Cut(encodings, 60)),
			header: http.Header{"Accept-Encoding": {"gzip"}},
		}
	}
}

// read reads a request's body whole, as it was sent.
func (b *bodies) read(w http.ResponseWriter, r *http.Request, into *memory) ([]byte, *problem) {
	if r.ContentLength > b.max {
		return nil, b.tooLarge("body", fmt.Sprintf("got %d", r.ContentLength))
	}
	source := &pacedReader{source: http.MaxBytesReader(w, r.Body, b.max), control: http.NewResponseController(w), pace: b.pace, start: time.Now()}
	return b.fill(into, source, min(max(r.ContentLength+1, firstBuffer), leastKept), "body")
}

// unpack decompresses a body.
func (b *bodies) unpack(packed []byte, into *memory) ([]byte, *problem) {
	reader := b.gunzip.Get().(*gzip.Reader)
	defer b.gunzip.Put(reader)
	if err := reader.Reset(bytes.NewReader(packed)); err != nil {
		return nil, b.unreadable(err)
	}
	return b.fill(into, reader, min(int64(4*len(packed)+firstBuffer), leastKept), "decompressed body")
}

// fill reads source to its end.
func (b *bodies) fill(into *memory, source io.Reader, first int64, what string) ([]byte, *problem) {
	buffer := b.buffer(into, nil, first)
	for {
		if buffer == nil {
			return nil, b.noRoom(into.taken)
		}

		n, err := source.Read(buffer[len(buffer):cap(buffer)])
		buffer = buffer[:len(buffer)+n]
		switch {
		case int64(len(buffer)) > b.max:
			return nil, b.tooLarge(what, "got more")
		case err == io.EOF:
			return buffer, nil
		case err != nil:
			return nil, b.unreadable(err)
		case len(buffer) == cap(buffer):
			buffer = b.buffer(into, buffer, min(2*int64(cap(buffer)), b.max+1))
		}
	}
}

// buffer returns one of so many bytes at least, which holds what an old one held; nil
// where there is no room. The old one is given back.
func (b *bodies) buffer(into *memory, old []byte, size int64) []byte {
	var buffer []byte
	if size >= leastKept && size <= mostKept {
		if kept, _ := b.buffers.Get().(*[]byte); kept != nil && int64(cap(*kept)) >= size {
			buffer = (*kept)[:0]
		}
	}
	if buffer != nil {
		size = int64(cap(buffer))
	}
	if !into.take(size) {
		return nil
	}

	if buffer == nil {
		buffer = make([]byte, 0, size)
	}
	buffer = append(buffer, old...)
	b.release(into, old)
	return buffer
}

// release gives one buffer of a request back.
func (b *bodies) release(of *memory, buffer []byte) {
	of.take(-int64(cap(buffer)))
	if cap(buffer) >= leastKept && cap(buffer) <= mostKept {
		b.buffers.Put(&buffer)
	}
}

// noRoom is the answer where a request may hold no more than so many bytes at present.
func (b *bodies) noRoom(taken int64) *problem {
	return notNow(http.StatusTooManyRequests, "requests of this token hold too much memory, and this one %d KiB; nothing was accepted, send less at once or try again", taken>>10)
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
		return &problem{Status: http.StatusRequestTimeout, Detail: fmt.Sprintf("the body did not come in time, which is at least %d bytes a second after the first %v, and %v at most; nothing was accepted",
			b.pace.rate, b.pace.grace, b.pace.most)}
	}
	return &problem{Status: http.StatusBadRequest, Detail: fmt.Sprintf("read the body: %v; nothing was accepted", err)}
}

// pacedReader fails where a body comes in too slowly.
type pacedReader struct {
	source  io.Reader
	control *http.ResponseController
	pace    pace
	start   time.Time
	got     int64
}

// Read implements io.Reader.
func (p *pacedReader) Read(into []byte) (n int, err error) {
	earned := p.pace.grace + time.Duration(float64(p.got)/float64(p.pace.rate)*float64(time.Second))
	_ = p.control.SetReadDeadline(p.start.Add(min(earned, p.pace.most))) // tests record answers without a connection
	n, err = p.source.Read(into)
	p.got += int64(n)
	if err == io.EOF { // the connection may wait for as long as the server lets it
		_ = p.control.SetReadDeadline(time.Time{})
	}
	return n, err
}
