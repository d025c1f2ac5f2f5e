package recording

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"

	"github.com/modelvigil/modelvigil/internal/plain"
)

var parquetMagic = []byte("PAR1")

// parquetSource is a file that can be read from anywhere.
type parquetSource interface {
	io.ReaderAt
	io.Seeker
}

func isParquet(file parquetSource) bool {
	magic := make([]byte, len(parquetMagic))
	_, err := file.ReadAt(magic, 0)
	return err == nil && bytes.Equal(magic, parquetMagic)
}

// parquetBatch is how many rows are read at once.
const parquetBatch = 8192

// readParquet reads the columns that are wanted, row group by row group.
func (r *Reader) readParquet(ctx context.Context, source parquetSource, take func(*Batch) error) error {
	size, err := source.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	file, err := parquet.OpenFile(source, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return fmt.Errorf("not Parquet: %w", err)
	}
	columns, err := r.chooseParquet(file)
	if err != nil {
		return err
	}

	p := r.newParser()
	b := &Batch{}
	r.line = 0
	for _, group := range file.RowGroups() {
		cursors := make([]*parquetCursor, len(columns))
		for i, column := range columns {
			cursors[i] = &parquetCursor{parquetColumn: column, pages: group.ColumnChunks()[column.leaf].Pages()}
		}

		err := r.readGroup(ctx, &p, b, cursors, group.NumRows(), take)
		for _, cursor := range cursors {
			_ = cursor.pages.Close()
		}
		if err != nil {
			return err
		}
	}

	return nil
}

func (r *Reader) readGroup(ctx context.Context, p *parser, b *Batch, cursors []*parquetCursor, rows int64, take func(*Batch) error) error {
	for read := int64(0); read < rows; {
		n := int(min(parquetBatch, rows-read))
		for _, cursor := range cursors {
			if err := cursor.read(n); err != nil {
				return err
			}
		}

		b.reset()
		for i := range n {
			p.begin(b)
			for _, cursor := range cursors {
				cursor.put(p, b, i)
			}
			r.line++
			p.end(b, r.line)
		}
		if err := errors.Join(ctx.Err(), take(b)); err != nil {
			return err
		}
		read += int64(n)
	}

	return nil
}

// readParquetStream reads a file that comes from a pipe, and so into memory: what its
// columns are stands at its end.
func (r *Reader) readParquetStream(ctx context.Context, source io.Reader, take func(*Batch) error) error {
	all, err := io.ReadAll(source)
	if err != nil {
		return err
	}
	return r.readParquet(ctx, bytes.NewReader(all), take)
}

// parquetColumn is one column that is read.
type parquetColumn struct {
	leaf       int // its place among the leaves
	field      string
	isReading  bool
	isCategory bool
	convert    conversion
}

// chooseParquet finds the columns that are read.
func (r *Reader) chooseParquet(file *parquet.File) ([]parquetColumn, error) {
	var names []string
	var leaves []*parquet.Column
	var walk func(column *parquet.Column)
	walk = func(column *parquet.Column) {
		for _, child := range column.Columns() {
			if !child.Leaf() {
				walk(child)
				continue
			}
			if child.MaxRepetitionLevel() > 0 { // a list
				r.outline.passOver(strings.Join(child.Path(), "."))
				continue
			}

			name := strings.Join(child.Path(), ".")
			if category, is := strings.CutPrefix(name, "categories."); is {
				name = categoryPrefix + category
			}
			names = append(names, strings.TrimPrefix(name, "metrics."))
			leaves = append(leaves, child)
		}
	}
	walk(file.Root())

	t := &layout{note: r.note}
	err := t.choose(names, r)
	if err != nil {
		return nil, err
	}

	var columns []parquetColumn
	for _, c := range t.columns {
		leaf := leaves[c.at]
		convert, err := conversionOf(leaf, r.zone())
		switch {
		case c.isReading && (err != nil || convert.number == nil):
			if slices.Contains(ownReadings[:], c.field) {
				return nil, fmt.Errorf("column %q must hold numbers, got %s", names[c.at], leaf.Type())
			}
			r.note("column %q holds no numbers, and is passed over", plain.Cut(c.field, 60))
			r.outline.passOver(c.field)
			continue
		case !c.isReading && !c.isCategory && (c.field == fieldTimestamp || c.field == fieldArrival):
			if convert.time == nil {
				return nil, fmt.Errorf("column %q must hold timestamps, got %s", names[c.at], leaf.Type())
			}
		}

		if c.isReading || c.isCategory {
			r.outline.take(c.field)
		}
		if convert.text == nil && convert.number != nil {
			convert.text = convert.words()
		}
		columns = append(columns, parquetColumn{leaf: leaf.Index(), field: c.field, isReading: c.isReading, isCategory: c.isCategory, convert: convert})
	}

	r.outline.passOver(t.passed...)
	return columns, nil
}

// parquetCursor reads one column of a row group.
type parquetCursor struct {
	parquetColumn
	pages  parquet.Pages
	page   parquet.Page
	reader parquet.ValueReader
	values []parquet.Value
	of     *Batch
	number int32 // of the name in the batch
}

// read reads the next n values.
func (c *parquetCursor) read(n int) error {
	c.values = slices.Grow(c.values[:0], n)[:n]
	for read := 0; read < n; {
		if c.reader == nil {
			page, err := c.pages.ReadPage()
			if err != nil {
				return fmt.Errorf("column %q: %w", c.field, err)
			}
			c.page = page
			c.reader = page.Values()
		}

		got, err := c.reader.ReadValues(c.values[read:n])
		read += got
		if errors.Is(err, io.EOF) {
			c.keepTexts(read)
			parquet.Release(c.page)
			c.reader = nil
			err = nil
		}
		if err != nil {
			return fmt.Errorf("column %q: %w", c.field, err)
		}
	}
	return nil
}

// keepTexts copies what lies in a page that is given back.
func (c *parquetCursor) keepTexts(n int) {
	if kind := c.convert.kind; kind != parquet.ByteArray && kind != parquet.FixedLenByteArray {
		return
	}
	for i := range c.values[:n] {
		c.values[i] = c.values[i].Clone()
	}
}

// put puts a value into the row under way.
func (c *parquetCursor) put(p *parser, b *Batch, i int) {
	value := c.values[i]
	if value.IsNull() {
		return
	}

	if c.of != b && (c.isReading || c.isCategory) {
		c.of = b
		c.number = b.number(c.field)
	}
	switch {
	case c.isCategory:
		if text := c.convert.text; text != nil {
			p.label(b, c.number, text(value))
		}
	case c.isReading:
		number, isNumber := c.convert.number(value)
		if isNumber {
			p.reading(b, c.number, number)
		}
	case c.field == fieldTimestamp || c.field == fieldArrival:
		at, zoneless, err := c.convert.time(value)
		if err != nil {
			p.faults = append(p.faults, err)
		}
		if zoneless {
			b.countZoneless(at, p.zone)
		}
		p.instant(c.field, at)
	default:
		p.cell(b, c.field, c.convert.text(value))
	}
}
