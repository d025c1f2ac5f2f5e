package recording

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

const (
	// chunkBytes is about how much text is parsed at once, by one goroutine.
	chunkBytes = 1 << 20
	// maxLineBytes bounds a line of input, and so the memory that reading takes
	// beside what it keeps. An event at its bounds has some 20 KiB.
	maxLineBytes = 1 << 20
)

var errLongLine = fmt.Errorf("is longer than %d MiB; one line holds one event", maxLineBytes>>20)

// chunk is consecutive whole lines, and what was made of them.
type chunk struct {
	text []byte
	line int   // the number of the first, from 1
	long error // it is one line that is too long, of which text holds none
	last bool

	batch Batch
	done  chan struct{} // receives once the batch is made
}

// chunker cuts a source into chunks.
type chunker struct {
	source io.Reader
	line   int    // the next
	rest   []byte // of the line that was begun
	ended  bool
}

// next fills a chunk, or returns io.EOF at the end.
func (c *chunker) next(into *chunk) error {
	into.long = nil
	into.text = append(into.text[:0], c.rest...)
	c.rest = c.rest[:0]
	into.line = c.line
	for !c.ended && len(into.text) < chunkBytes {
		if err := c.fill(into); err != nil {
			return err
		}
	}
	if len(into.text) == 0 {
		return io.EOF
	}

	into.last = c.ended
	end := bytes.LastIndexByte(into.text, '\n') + 1
	switch {
	case c.ended:
		end = len(into.text)
	case end == 0:
		return c.skip(into)
	}

	c.rest = append(c.rest, into.text[end:]...)
	into.text = into.text[:end]
	c.line += bytes.Count(into.text, []byte("\n"))
	return nil
}

func (c *chunker) fill(into *chunk) error {
	if cap(into.text) < chunkBytes+maxLineBytes {
		into.text = append(make([]byte, 0, chunkBytes+maxLineBytes), into.text...)
	}
	n, err := c.source.Read(into.text[len(into.text):cap(into.text)])
	into.text = into.text[:len(into.text)+n]
	c.ended = errors.Is(err, io.EOF)
	if err != nil && !c.ended {
		return err
	}
	return nil
}

// skip passes over a line that is too long.
func (c *chunker) skip(into *chunk) error {
	into.long = errLongLine
	for {
		if end := bytes.IndexByte(into.text, '\n'); end >= 0 {
			c.rest = append(c.rest, into.text[end+1:]...)
			break
		}
		if c.ended {
			break
		}

		into.text = into.text[:0]
		if err := c.fill(into); err != nil {
			return err
		}
	}

	into.last = c.ended && len(c.rest) == 0
	into.text = into.text[:0]
	c.line++
	return nil
}
