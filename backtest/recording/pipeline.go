package recording

import (
	"bytes"
	"context"
	"errors"
	"io"
	"runtime"
	"sync"
)

// lineParser makes rows of lines, for one goroutine.
type lineParser interface {
	// parse takes a line, which holds no line end and isn't blank.
	parse(b *Batch, line int, text []byte)
	// give up takes what can't be parsed.
	refuse(b *Batch, line int, err error)
}

// parseLines makes batches of chunks on all processors, and gives them to take in the
// order of the file. first is the chunk that comes before those of the source.
func parseLines(ctx context.Context, first *chunk, source *chunker, newParser func() lineParser, take func(*Batch) error) error {
	workers := runtime.GOMAXPROCS(0)
	free := make(chan *chunk, 2*workers)
	for range cap(free) {
		free <- &chunk{done: make(chan struct{}, 1)}
	}
	first.done = make(chan struct{}, 1)

	todo := make(chan *chunk, cap(free)+1)
	inOrder := make(chan *chunk, cap(free)+1)
	ctx, stop := context.WithCancel(ctx)
	var readErr error // set before inOrder is closed
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	running.Go(func() {
		defer close(inOrder)
		defer close(todo)
		todo <- first
		inOrder <- first
		readErr = cutUp(ctx, source, free, todo, inOrder)
	})
	for range workers {
		running.Go(func() {
			parser := newParser()
			for c := range todo {
				c.parse(parser)
				c.done <- struct{}{}
			}
		})
	}

	for c := range inOrder {
		<-c.done
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := take(&c.batch); err != nil {
			return err
		}
		if c != first {
			free <- c
		}
	}

	return readErr
}

// cutUp hands the chunks of a source out until it ends.
func cutUp(ctx context.Context, source *chunker, free <-chan *chunk, todo, inOrder chan<- *chunk) error {
	for {
		var c *chunk
		select {
		case c = <-free:
		case <-ctx.Done():
			return ctx.Err()
		}

		err := source.next(c)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}

		todo <- c
		inOrder <- c
	}
}

// parse makes the chunk's batch.
func (c *chunk) parse(parser lineParser) {
	b := &c.batch
	b.reset()
	if c.long != nil {
		parser.refuse(b, c.line, c.long)
		return
	}

	for line, text := c.line, c.text; len(text) > 0; line++ {
		end := bytes.IndexByte(text, '\n')
		one := text
		if end >= 0 {
			one = text[:end]
			text = text[end+1:]
		} else {
			text = nil
		}

		for len(one) > 0 && one[len(one)-1] == '\r' {
			one = one[:len(one)-1]
		}
		switch {
		case len(bytes.TrimSpace(one)) == 0:
		case len(one) > maxLineBytes:
			parser.refuse(b, line, errLongLine)
		default:
			parser.parse(b, line, one)
		}
	}
}
