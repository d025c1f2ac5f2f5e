package recording

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/metric"
)

var (
	ownFields   = []string{fieldTimestamp, fieldModelName, fieldModelVersion, fieldArrival}
	ownReadings = metric.NamedByEvents()
)

// column is one column of a CSV that is read.
type column struct {
	at    int    // its place in a line
	field string // a field's or a metric's name
	// isReading says that the column holds numbers, isCategory that it holds names.
	isReading, isCategory bool
	// maybe says that the first rows have no value there, and so don't show whether
	// the column holds numbers. What is none is passed over.
	maybe bool
}

// layout is what the head of a CSV says of its rows. A row is a line: a field in
// quotes can't go over its end, so that one stray quote spoils one row and not all
// that follow.
type layout struct {
	comma   byte
	decimal fraction
	width   int // columns of a line
	columns []column
	passed  []string // columns that are not read
	note    func(format string, args ...any)
}

// categoryPrefix stands before the name of a category where a field is named:
// category:country.
const categoryPrefix = "category:"

// separator is what a header's columns stand apart by.
func separator(header []byte) byte {
	for _, comma := range []byte{',', ';', '\t', '|'} {
		if bytes.IndexByte(header, comma) >= 0 {
			return comma
		}
	}
	return ','
}

// splitter takes lines apart.
type splitter struct {
	cells   [][]byte
	scratch []byte // what quoted cells lie in
}

// split takes a line apart into cells, which lie in the line or in scratch.
func (s *splitter) split(line []byte, comma byte) error {
	s.cells = s.cells[:0]
	s.scratch = s.scratch[:0]
	for {
		var cell []byte
		var more bool
		if trimmed := bytes.TrimLeft(line, " "); len(trimmed) > 0 && trimmed[0] == '"' {
			var err error
			cell, line, more, err = s.quoted(trimmed[1:], comma)
			if err != nil {
				return err
			}
		} else {
			cell, line, more = bytes.Cut(line, []byte{comma})
			cell = bytes.TrimSpace(cell)
		}

		s.cells = append(s.cells, cell)
		if !more {
			return nil
		}
	}
}

// quoted reads a cell after its opening quote; two quotes stand for one.
func (s *splitter) quoted(line []byte, comma byte) (cell, rest []byte, more bool, err error) {
	from := len(s.scratch)
	for {
		at := bytes.IndexByte(line, '"')
		if at < 0 {
			return nil, nil, false, errors.New("a quote is opened and not closed on its line")
		}

		s.scratch = append(s.scratch, line[:at]...)
		line = line[at+1:]
		if len(line) == 0 || line[0] != '"' {
			break
		}

		s.scratch = append(s.scratch, '"')
		line = line[1:]
	}

	cell = s.scratch[from:len(s.scratch):len(s.scratch)]
	line = bytes.TrimLeft(line, " ")
	switch {
	case len(line) == 0:
		return cell, nil, false, nil
	case line[0] == comma:
		return cell, line[1:], true, nil
	}

	return nil, nil, false, errors.New("a closing quote must be followed by the next column; a quote within quotes is written twice")
}

// newLayout reads a header.
func newLayout(header []byte, apart byte, r *Reader) (*layout, error) {
	if !utf8.Valid(header) {
		return nil, errors.New("the header: is not UTF-8 text")
	}
	t := &layout{comma: cmp.Or(apart, separator(header)), note: r.note}
	switch {
	case r.DecimalComma:
		t.decimal = decimalComma
	case t.comma != ',':
		t.decimal = decimalEither
	}
	var s splitter
	if err := s.split(header, t.comma); err != nil {
		return nil, fmt.Errorf("the header: %w", err)
	}

	names := make([]string, len(s.cells))
	for i, cell := range s.cells {
		names[i] = string(cell)
	}
	t.width = len(names)
	return t, t.choose(names, r)
}

// choose finds the columns that are read.
func (t *layout) choose(names []string, r *Reader) error {
	var faults []error
	has := fmt.Sprintf("its columns are %s", plain.Cut(plain.Text(strings.Join(names, ", ")), 300))
	fields := make([]string, len(names))
	for i, name := range names {
		switch {
		case name != "" && slices.Contains(names[:i], name):
			faults = append(faults, fmt.Errorf("column %q is there twice", plain.Cut(name, 60)))
		case r.Columns[name] != "" && r.Columns[name] != name: // another column holds that field
		default:
			fields[i] = name
		}
	}

	for _, field := range sortedKeys(r.Columns) {
		at := slices.Index(names, r.Columns[field])
		if at < 0 {
			faults = append(faults, fmt.Errorf("has no column %q for %s; %s", r.Columns[field], field, has))
			continue
		}
		fields[at] = field
	}

	if !slices.Contains(fields, fieldTimestamp) && faults == nil {
		faults = append(faults, fmt.Errorf("has no column timestamp; %s; --map timestamp=COLUMN names the one that is it", has))
	}
	if !slices.Contains(fields, fieldModelName) && r.ModelName == "" && faults == nil {
		faults = append(faults, fmt.Errorf("has no column model_name; %s; --model NAME says whose the events are", has))
	}

	for i, field := range fields {
		isMapped := r.Columns[field] != ""
		category, isCategory := r.category(field)
		switch {
		case isCategory:
			t.columns = append(t.columns, column{at: i, field: category, isCategory: true})
		case field == fieldArrival && !isMapped: // a metric may be called so
			fallthrough
		case !slices.Contains(ownFields, field):
			if field != "" && r.wants(field) {
				t.columns = append(t.columns, column{at: i, field: field, isReading: true})
			} else if names[i] != "" {
				t.passed = append(t.passed, names[i])
			}
		default:
			t.columns = append(t.columns, column{at: i, field: field})
		}
	}

	return errors.Join(faults...)
}

// look finds out by the first rows which columns hold numbers: the first cell that is
// not empty decides, but the three readings that the event names itself are numbers.
func (t *layout) look(rows []byte) {
	var s splitter
	for i := range t.columns {
		c := &t.columns[i]
		c.maybe = c.isReading && !slices.Contains(ownReadings[:], c.field)
	}

	words := map[int]bool{}
	open := slices.ContainsFunc(t.columns, func(c column) bool { return c.maybe })
	for line := range bytes.SplitSeq(rows, []byte("\n")) {
		if !open {
			break
		}
		if s.split(bytes.TrimRight(line, "\r"), t.comma) != nil || len(s.cells) != t.width {
			continue
		}

		open = false
		for i := range t.columns {
			c := &t.columns[i]
			if !c.maybe || words[i] || isAbsent(s.cells[c.at]) {
				open = open || c.maybe && !words[i]
				continue
			}

			_, err := parseNumber(s.cells[c.at], t.decimal)
			words[i] = err != nil
			c.maybe = err != nil
		}
	}

	kept := t.columns[:0]
	for i, c := range t.columns {
		if words[i] {
			t.note("column %q holds no numbers, and is passed over", plain.Cut(c.field, 60))
			t.passed = append(t.passed, c.field)
			continue
		}
		if c.maybe {
			t.note("column %q holds no value in the first rows", plain.Cut(c.field, 60))
		}
		kept = append(kept, c)
	}
	t.columns = kept
}

// csvParser makes rows of the lines of a CSV.
type csvParser struct {
	*layout
	parser
	splitter
	numbers []int32 // of the columns' names in the batch
	of      *Batch
}

func (p *csvParser) refuse(b *Batch, line int, err error) {
	p.begin(b)
	p.row.model = ""
	p.reject(b, line, err)
}

func (p *csvParser) parse(b *Batch, line int, text []byte) {
	if p.of != b {
		p.of = b
		p.numbers = p.numbers[:0]
		for _, c := range p.columns {
			n := int32(-1)
			if c.isReading || c.isCategory {
				n = b.number(c.field)
			}
			p.numbers = append(p.numbers, n)
		}
	}
	if !utf8.Valid(text) {
		p.refuse(b, line, errors.New("is not UTF-8 text"))
		return
	}

	p.begin(b)
	if bytes.IndexByte(text, '"') < 0 {
		p.plainLine(b, line, text)
		return
	}

	if err := p.split(text, p.comma); err != nil {
		p.refuse(b, line, err)
		return
	}
	if len(p.cells) != p.width {
		p.refuse(b, line, p.wrongWidth(len(p.cells)))
		return
	}
	for i := range p.columns {
		p.take(b, i, p.cells[p.columns[i].at])
	}
	p.end(b, line)
}

// plainLine reads a line without quotes: what stands between the columns that are
// read is only counted.
func (p *csvParser) plainLine(b *Batch, line int, text []byte) {
	place, rest, more := 0, text, true
	for i := range p.columns {
		c := &p.columns[i]
		var cell []byte
		for ; place <= c.at; place++ {
			if !more {
				p.refuse(b, line, p.wrongWidth(place))
				return
			}
			at := bytes.IndexByte(rest, p.comma)
			more = at >= 0
			if more {
				cell = rest[:at]
				rest = rest[at+1:]
			} else {
				cell = rest
			}
		}

		if n := len(cell); n > 0 && (cell[0] <= ' ' || cell[n-1] <= ' ') {
			cell = bytes.TrimSpace(cell)
		}
		p.take(b, i, cell)
	}

	if more {
		place += bytes.Count(rest, []byte{p.comma}) + 1
	}
	if place != p.width {
		p.refuse(b, line, p.wrongWidth(place))
		return
	}
	p.end(b, line)
}

func (p *csvParser) wrongWidth(got int) error {
	return fmt.Errorf("must have %d columns as the header, got %d", p.width, got)
}

// take takes the cell of a column.
func (p *csvParser) take(b *Batch, i int, cell []byte) {
	c := &p.columns[i]
	if c.isCategory {
		if len(cell) > 0 {
			p.label(b, p.numbers[i], cell)
		}
		return
	}
	if !c.isReading {
		if len(cell) > 0 {
			p.cell(b, c.field, cell)
		}
		return
	}
	if isAbsent(cell) {
		return
	}

	value, err := parseNumber(cell, p.decimal)
	switch {
	case err == nil:
		p.reading(b, p.numbers[i], value)
	case !c.maybe:
		p.faults = append(p.faults, notANumber(c.field, cell))
	}
}
