package recording

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// arrayBatch is how many elements of an array over many lines make a batch.
const arrayBatch = 1024

// readArray reads an array that goes over many lines. Its elements are values of
// any length.
func (r *Reader) readArray(ctx context.Context, source io.Reader, take func(*Batch) error) error {
	counter := &lineCounter{source: source, line: r.line}
	decoder := json.NewDecoder(counter)
	if _, err := decoder.Token(); err != nil {
		return err
	}

	parser := r.newJSONParser()
	b := &Batch{}
	for i := 0; decoder.More(); i++ {
		var element json.RawMessage
		err := decoder.Decode(&element)
		r.line = counter.lineAt(decoder.InputOffset())
		if err != nil {
			return fmt.Errorf("not JSON: %w", err)
		}

		parser.at = fmt.Sprintf("[%d]: ", i)
		parser.object(b, r.line, element)
		if (i+1)%arrayBatch != 0 {
			continue
		}
		if err := errors.Join(ctx.Err(), take(b)); err != nil {
			return err
		}
		b.reset()
	}

	if err := errors.Join(ctx.Err(), take(b)); err != nil {
		return err
	}
	if _, err := decoder.Token(); err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	if decoder.More() {
		return errors.New("goes on after its array; a file is one array, or has one value to a line")
	}

	return nil
}

// lineCounter says on which line an offset of its source lies, for offsets that
// ascend.
type lineCounter struct {
	source io.Reader
	ends   []int64 // offsets of line ends that were read and not passed yet
	read   int64
	line   int // at the offset last asked for
}

// Read implements io.Reader.
func (c *lineCounter) Read(p []byte) (int, error) {
	n, err := c.source.Read(p)
	for i, b := range p[:n] {
		if b == '\n' {
			c.ends = append(c.ends, c.read+int64(i))
		}
	}
	c.read += int64(n)
	return n, err
}

func (c *lineCounter) lineAt(offset int64) int {
	for len(c.ends) > 0 && c.ends[0] < offset {
		c.ends = c.ends[1:]
		c.line++
	}
	return c.line
}
