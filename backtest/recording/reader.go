package recording

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/metric"
)

// Reader reads files of events. What it can't take is rejected row by row.
type Reader struct {
	// ModelName is whose the events are that name no model; empty means that each
	// must name one.
	ModelName string
	// Columns says which column holds a field or metric, by the field's name, where
	// that is not the column's own. The field `arrival` is when an event arrived,
	// where that was not when it was measured.
	Columns map[string]string
	// Wanted says which metrics are read; nil: all. What is not wanted costs nothing.
	Wanted func(metric string) bool
	// WantedCategory says which categories are read; nil: all that say that they are
	// some, in a CSV by `category:` before the name.
	WantedCategory func(category string) bool
	// Zone is what times without a zone are of. Nil: those of a CSV, or of Parquet,
	// are of UTC, and in JSON they are refused.
	Zone *time.Location
	// DecimalComma says that in a CSV the fractions of numbers stand behind commas, and
	// that points part thousands. Without it they stand behind points, or behind either
	// where columns stand apart by something else than a comma.
	DecimalComma bool
	// OnRejection, where set, hears of each row that is rejected. An error that it
	// returns ends the reading.
	OnRejection func(*Rejection) error
	// OnNote, where set, hears of what is odd but no fault.
	OnNote func(file, text string)

	collector collector
	file      string
	line      int // where reading ended
	outline   *Outline
	outlines  []*Outline
}

// Rejection is a row that could not be taken.
type Rejection struct {
	File string // as given
	Line int    // of the text, or the row of a Parquet file, from 1
	Err  error  // every fault of it
}

func (r *Rejection) Error() string {
	where := fmt.Sprintf("%s:%d: ", r.File, r.Line)
	return where + strings.ReplaceAll(r.Err.Error(), "\n", "\n"+where)
}

// Unwrap returns what is wrong with the row.
func (r *Rejection) Unwrap() error { return r.Err }

// Read reads one file into the reader's recording: CSV, JSON events one to a line or
// in arrays, either of them compressed by gzip, or Parquet. It ends with the context,
// at a row where OnRejection says so, and where the file can't be read on.
func (r *Reader) Read(ctx context.Context, file string, source io.Reader) error {
	return r.Stream(ctx, file, source, func(b *Batch) error {
		r.collector.add(b)
		return nil
	})
}

// Recording returns what Read has collected, in order. The reader must not be used
// after it.
func (r *Reader) Recording() *Recording { return r.collector.recording() }

// Outlines are what was understood of the files, in the order of reading.
func (r *Reader) Outlines() []*Outline { return r.outlines }

// Stream is Read without keeping what was read: take gets batches in the order of
// the file, and ends the reading by an error.
func (r *Reader) Stream(ctx context.Context, file string, source io.Reader, take func(*Batch) error) error {
	r.file = file
	r.line = 1
	r.outline = newOutline(file, r.zoneName())
	r.outlines = append(r.outlines, r.outline)
	err := r.stream(ctx, source, func(b *Batch) error {
		b.head()
		r.outline.add(b)
		for i := range b.rejected {
			rejected := &b.rejected[i]
			if r.OnRejection == nil {
				continue
			}
			if err := r.OnRejection(&Rejection{r.file, rejected.line, rejected.err}); err != nil {
				return err
			}
		}
		return take(b)
	})
	r.outline.end(r)

	var rejection *Rejection
	switch {
	case err == nil || errors.As(err, &rejection) || errors.Is(err, ErrOrder):
		return err
	case errors.Is(err, errEmpty):
		return fmt.Errorf("%s: %w", file, err)
	case ctx.Err() != nil:
		return fmt.Errorf("%s: interrupted: %w", file, err)
	}

	return fmt.Errorf("%s: after line %d: %w", file, r.line, err)
}

var errEmpty = errors.New("is empty")

// ErrOrder is what a taker of batches answers whose events must come in order.
var ErrOrder = errors.New("events are not in the order of time")

func (r *Reader) stream(ctx context.Context, source io.Reader, take func(*Batch) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if file, is := source.(parquetSource); is && isParquet(file) {
		r.outline.Form = "Parquet"
		return r.readParquet(ctx, file, take)
	}

	buffered := bufio.NewReaderSize(source, 64<<10)
	magic, _ := buffered.Peek(4)
	switch {
	case bytes.Equal(magic, parquetMagic):
		r.outline.Form = "Parquet"
		return r.readParquetStream(ctx, buffered, take)
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		unzipped, err := gzip.NewReader(buffered)
		if err != nil {
			return fmt.Errorf("not gzip: %w", err)
		}
		buffered = bufio.NewReaderSize(unzipped, maxLineBytes)
	default:
		buffered = bufio.NewReaderSize(buffered, maxLineBytes)
	}

	return r.readText(ctx, buffered, take)
}

func (r *Reader) readText(ctx context.Context, source *bufio.Reader, take func(*Batch) error) error {
	if mark, _ := source.Peek(3); bytes.Equal(mark, []byte("\uFEFF")) {
		_, _ = source.Discard(3)
	}
	first, err := r.firstByte(source)
	switch {
	case errors.Is(err, io.EOF):
		return errEmpty
	case err != nil:
		return err
	case first == '[' && !isArrayOnOneLine(source):
		r.outline.Form = "JSON"
		return r.readArray(ctx, source, take)
	}

	chunks := &chunker{source: source, line: r.line}
	head := &chunk{}
	err = chunks.next(head)
	if err != nil {
		return err
	}

	newParser := func() lineParser { return r.newJSONParser() }
	r.outline.Form = "JSON"
	if first != '[' && first != '{' {
		r.outline.Form = "CSV"
		t, err := r.readHead(head)
		if err != nil {
			return err
		}
		newParser = func() lineParser { return &csvParser{layout: t, parser: r.newParser()} }
	}

	defer func() { r.line = chunks.line - 1 }()
	return parseLines(ctx, head, chunks, newParser, take)
}

// readHead takes the header off a CSV's first chunk, and the line before it by which
// Excel says what columns stand apart by.
func (r *Reader) readHead(head *chunk) (*layout, error) {
	if head.long != nil {
		return nil, fmt.Errorf("the header: %w", head.long)
	}

	comma := byte(0)
	header := head.line1()
	if separator, is := bytes.CutPrefix(header, []byte("sep=")); is && len(separator) == 1 {
		comma = separator[0]
		header = head.line1()
	}
	t, err := newLayout(header, comma, r)
	if err != nil {
		return nil, err
	}

	t.look(head.text)
	for _, c := range t.columns {
		if c.isReading || c.isCategory {
			r.outline.take(c.field)
		}
	}
	r.outline.passOver(t.passed...)
	return t, nil
}

// line1 takes the first line off that isn't blank.
func (c *chunk) line1() []byte {
	for {
		line, rest, more := bytes.Cut(c.text, []byte("\n"))
		c.text = rest
		c.line++
		line = bytes.TrimRight(line, "\r")
		if !more || len(bytes.TrimSpace(line)) > 0 {
			return line
		}
	}
}

// isArrayOnOneLine looks ahead, without reading, whether the line that comes is a
// whole array, or may be one that is too long to tell. Otherwise an array goes over
// many lines.
func isArrayOnOneLine(source *bufio.Reader) bool {
	ahead, err := source.Peek(maxLineBytes)
	end := bytes.IndexByte(ahead, '\n')
	switch {
	case end >= 0:
		return json.Valid(ahead[:end])
	case errors.Is(err, io.EOF):
		return true // the file is one line; what is wrong with it, reading says
	}
	return false
}

// firstByte passes over blank space and returns what comes then, unread.
func (r *Reader) firstByte(source *bufio.Reader) (byte, error) {
	for {
		b, err := source.ReadByte()
		switch {
		case err != nil:
			return 0, err
		case b == '\n':
			r.line++
		case b != ' ' && b != '\t' && b != '\r':
			return b, source.UnreadByte()
		}
	}
}

func (r *Reader) newParser() parser { return parser{zone: r.zone(), modelName: r.ModelName} }

func (r *Reader) zone() *time.Location {
	if r.Zone == nil {
		return time.UTC
	}
	return r.Zone
}

func (r *Reader) zoneName() string {
	if r.Zone == nil {
		return ""
	}
	return r.Zone.String()
}

// wants says that a metric is read. One that no event could name is none.
func (r *Reader) wants(name string) bool {
	return metric.CheckName(name, 1, metric.MaxNameBytes) == nil && (r.Wanted == nil || r.Wanted(name))
}

// category is the category that a column of a table holds, if it holds one that is
// wanted. A column of a category's name holds it, too, but where a metric is called so.
func (r *Reader) category(field string) (name string, is bool) {
	name, says := strings.CutPrefix(field, categoryPrefix)
	switch {
	case metric.CheckName(name, 1, metric.MaxNameBytes) != nil:
		return "", false
	case r.WantedCategory == nil:
		return name, says
	case says:
		return name, r.WantedCategory(name)
	case slices.Contains(ownFields, name) || slices.Contains(ownReadings[:], name) || r.wants(name):
		return "", false
	}

	return name, r.WantedCategory(name)
}

func (r *Reader) note(format string, args ...any) {
	if r.OnNote != nil {
		r.OnNote(r.file, plain.Text(fmt.Sprintf(format, args...)))
	}
}

func sortedKeys[V any](all map[string]V) []string { return slices.Sorted(maps.Keys(all)) }
