package backtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/modelvigil/modelvigil/metric"
)

// arrayOnOneLine looks ahead, without reading, whether the line that comes is a
// whole JSON array, or may be one that is too long to tell. Otherwise an array
// goes over many lines.
func (r *Reader) arrayOnOneLine() bool {
	ahead, err := r.lines.Peek(maxLineBytes)
	end := bytes.IndexByte(ahead, '\n')
	switch {
	case end >= 0:
		return json.Valid(ahead[:end])
	case errors.Is(err, io.EOF):
		return true // the file is one line; what is wrong with it, reading says
	}
	return false
}

// readJSONLines reads events, or arrays of them, one to a line.
func (r *Reader) readJSONLines() error {
	for {
		line, err := r.next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, errLongLine):
			r.Reject("")
			err = r.rejected(r.line, err)
		case err == nil && bytes.TrimSpace(line)[0] == '[':
			err = r.addArray(line)
		case err == nil:
			err = r.addJSON(r.line, line)
		}

		if err != nil {
			return err
		}
	}
}

func (r *Reader) addArray(line []byte) error {
	var elements []json.RawMessage
	if err := json.Unmarshal(line, &elements); err != nil {
		r.Reject("")
		return r.rejected(r.line, notJSON(err))
	}
	for i, element := range elements {
		if err := r.addElement(r.line, i, element); err != nil {
			return err
		}
	}
	return nil
}

// readArray reads an array that goes over many lines. Its elements are values of
// any length.
func (r *Reader) readArray() error {
	counter := &lineCounter{source: r.lines, line: r.line + 1}
	decoder := json.NewDecoder(counter)
	if _, err := decoder.Token(); err != nil {
		return err
	}
	for i := 0; decoder.More(); i++ {
		if i%contextLines == 0 && r.ctx.Err() != nil {
			return r.ctx.Err()
		}

		var element json.RawMessage
		err := decoder.Decode(&element)
		r.line = counter.lineAt(decoder.InputOffset())
		if err != nil {
			return notJSON(err)
		}
		if err := r.addElement(r.line, i, element); err != nil {
			return err
		}
	}

	if _, err := decoder.Token(); err != nil {
		return notJSON(err)
	}
	if decoder.More() {
		return errors.New("goes on after its array; a file is one array, or has one value to a line")
	}

	return nil
}

func (r *Reader) addElement(line, index int, element []byte) error {
	before := r.OnRejection
	defer func() { r.OnRejection = before }()
	if before != nil {
		r.OnRejection = func(rejection *Rejection) error {
			rejection.Err = fmt.Errorf("[%d]: %w", index, rejection.Err)
			return before(rejection)
		}
	}
	return r.addJSON(line, element)
}

// addJSON takes one event in the form of the wire contract, or rejects it.
func (r *Reader) addJSON(line int, text []byte) error {
	var event metric.Event
	var err error
	if !utf8.Valid(text) {
		err = errors.New("is not UTF-8 text")
	} else if err = json.Unmarshal(text, &event); err != nil {
		err = notJSON(err)
	}

	if err != nil {
		r.Reject(r.modelOf(text))
		return r.rejected(line, err)
	}
	if event.ModelName == "" {
		event.ModelName = r.ModelName
	}
	if err := r.Add(event); err != nil {
		return r.rejected(line, err)
	}

	return nil
}

// modelOf is whose an event is that is not valid otherwise.
func (r *Reader) modelOf(text []byte) string {
	var named struct {
		ModelName string `json:"model_name"`
	}
	if json.Unmarshal(text, &named) != nil || named.ModelName == "" {
		return r.ModelName
	}
	return named.ModelName
}

func notJSON(err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return fmt.Errorf("not JSON: %w", err)
	}
	return err
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
