package backtest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/modelvigil/modelvigil/metric"
)

// Fields of an event that a column can hold; any other name is a further metric.
const (
	fieldTimestamp    = "timestamp"
	fieldModelName    = "model_name"
	fieldModelVersion = "model_version"
)

var ownFields = []string{
	fieldTimestamp, fieldModelName, fieldModelVersion, metric.Accuracy, metric.LatencyMS, metric.DriftScore,
}

// categoryPrefix stands before the name of a category where a field is named:
// category:country.
const categoryPrefix = "category:"

// column is what one column of a CSV holds.
type column struct {
	field string // a field's, a metric's or a category's name; empty: passed over
	// isCategory says that the column holds names, and not numbers.
	isCategory bool
	// maybe says that no cell has shown yet whether the column holds numbers.
	maybe bool
}

// table is a CSV under way. A row is a line: a field in quotes can't go over its
// end, so that one stray quote spoils one row and not all that follow.
type table struct {
	comma   byte
	columns []column
	cells   [][]byte // of the row last split
	scratch []byte   // what quoted cells lie in
	version string   // the last row's
	model   string   // the last row's
}

// readCSV reads a header and its rows.
func (r *Reader) readCSV() error {
	header, err := r.next()
	if err != nil {
		return err
	}
	t := &table{comma: separator(header)}
	if err := t.split(header); err != nil {
		return fmt.Errorf("the header: %w", err)
	}
	if err := t.name(r.Columns, r.ModelName != ""); err != nil {
		return err
	}

	for {
		line, err := r.next()
		switch {
		case errors.Is(err, io.EOF):
			for _, c := range t.columns {
				if c.maybe {
					r.note("column %q holds no value", c.field)
				}
			}
			return nil
		case errors.Is(err, errLongLine):
			r.Reject("")
			err = r.rejected(r.line, err)
		case err == nil:
			err = r.addRow(t, line)
		}

		if err != nil {
			return err
		}
	}
}

func (r *Reader) addRow(t *table, line []byte) error {
	if err := t.split(line); err != nil {
		r.Reject("")
		return r.rejected(r.line, err)
	}

	event := metric.Event{ModelName: r.ModelName}
	faults := t.fill(&event, func(name string) { r.note("column %q holds no numbers, and is passed over", name) })
	if faults == nil {
		faults = r.Add(event)
		if faults == nil {
			return nil
		}
	} else {
		r.Reject(event.ModelName)
	}

	return r.rejected(r.line, faults)
}

// separator is what a header's columns stand apart by.
func separator(header []byte) byte {
	for _, comma := range []byte{',', ';', '\t'} {
		if bytes.IndexByte(header, comma) >= 0 {
			return comma
		}
	}
	return ','
}

// split takes a line apart into cells, which lie in the line or in scratch.
func (t *table) split(line []byte) error {
	if !utf8.Valid(line) {
		return errors.New("is not UTF-8 text")
	}

	t.cells = t.cells[:0]
	t.scratch = t.scratch[:0]
	for {
		var cell []byte
		var more bool
		if trimmed := bytes.TrimLeft(line, " "); len(trimmed) > 0 && trimmed[0] == '"' {
			var err error
			cell, line, more, err = t.quoted(trimmed[1:])
			if err != nil {
				return err
			}
		} else {
			at := bytes.IndexByte(line, t.comma)
			more = at >= 0
			if more {
				cell = line[:at]
				line = line[at+1:]
			} else {
				cell = line
			}

			cell = bytes.TrimSpace(cell)
		}

		t.cells = append(t.cells, cell)
		if !more {
			break
		}
	}

	if t.columns != nil && len(t.cells) != len(t.columns) {
		return fmt.Errorf("must have %d columns as the header, got %d", len(t.columns), len(t.cells))
	}

	return nil
}

// quoted reads a cell after its opening quote; two quotes stand for one.
func (t *table) quoted(line []byte) (cell, rest []byte, more bool, err error) {
	from := len(t.scratch)
	for {
		at := bytes.IndexByte(line, '"')
		if at < 0 {
			return nil, nil, false, errors.New("a quote is opened and not closed on its line")
		}

		t.scratch = append(t.scratch, line[:at]...)
		line = line[at+1:]
		if len(line) == 0 || line[0] != '"' {
			break
		}

		t.scratch = append(t.scratch, '"')
		line = line[1:]
	}

	cell = t.scratch[from:len(t.scratch):len(t.scratch)]
	line = bytes.TrimLeft(line, " ")
	switch {
	case len(line) == 0:
		return cell, nil, false, nil
	case line[0] == t.comma:
		return cell, line[1:], true, nil
	}

	return nil, nil, false, errors.New("a closing quote must be followed by the next column; a quote within quotes is written twice")
}

// name takes the header, which was split, for the columns' names.
func (t *table) name(mapped map[string]string, hasModel bool) error {
	names := make([]string, len(t.cells))
	for i, cell := range t.cells {
		names[i] = string(cell)
	}
	var faults []error
	has := fmt.Sprintf("its columns are %s", cut(strings.Join(names, ", "), 300))
	t.columns = make([]column, len(names))
	for i, name := range names {
		switch {
		case name != "" && slices.Contains(names[:i], name):
			faults = append(faults, fmt.Errorf("column %q is there twice", name))
		case mapped[name] != "" && mapped[name] != name: // another column holds that field
		default:
			t.columns[i] = columnOf(name)
			t.columns[i].maybe = !t.columns[i].isCategory && !slices.Contains(ownFields, name)
		}
	}

	for _, field := range sortedKeys(mapped) {
		at := slices.Index(names, mapped[field])
		if at < 0 {
			faults = append(faults, fmt.Errorf("has no column %q for %s; %s", mapped[field], field, has))
			continue
		}
		t.columns[at] = columnOf(field)
	}

	holds := func(field string) bool {
		return slices.ContainsFunc(t.columns, func(c column) bool { return c.field == field && !c.isCategory })
	}
	if !holds(fieldTimestamp) && faults == nil {
		faults = append(faults, fmt.Errorf("has no column timestamp; %s; --map timestamp=COLUMN names the one that is it", has))
	}
	if !holds(fieldModelName) && !hasModel && faults == nil {
		faults = append(faults, fmt.Errorf("has no column model_name; %s; --model NAME says whose the events are", has))
	}
	return errors.Join(faults...)
}

// columnOf is a column that holds a field, a metric or, after its prefix, a category.
func columnOf(field string) column {
	name, isCategory := strings.CutPrefix(field, categoryPrefix)
	return column{field: name, isCategory: isCategory}
}

// fill makes an event of the row last split, and names every fault. passedOver
// hears of a column that turns out to hold no numbers.
func (t *table) fill(event *metric.Event, passedOver func(name string)) error {
	var faults []error
	for i := range t.columns {
		c, cell := &t.columns[i], t.cells[i]
		if len(cell) == 0 || c.field == "" {
			continue
		}

		if c.isCategory {
			if event.Categories == nil {
				event.Categories = make(map[string]string, len(t.columns))
			}
			event.Categories[c.field] = string(cell)
			continue
		}

		switch c.field {
		case fieldTimestamp:
			stamp, err := ParseTimestamp(string(cell))
			if err != nil {
				faults = append(faults, err)
			}
			event.Timestamp = stamp
			continue
		case fieldModelName:
			event.ModelName = keep(&t.model, cell)
			continue
		case fieldModelVersion:
			event.ModelVersion = keep(&t.version, cell)
			continue
		}

		value, err := strconv.ParseFloat(string(cell), 64)
		if err != nil && c.maybe {
			passedOver(c.field)
			*c = column{}
			continue
		}
		c.maybe = false
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: must be a number, got %q", c.field, short(string(cell))))
			continue
		}

		switch c.field {
		case metric.Accuracy:
			event.Accuracy = metric.Some(value)
		case metric.LatencyMS:
			event.LatencyMS = metric.Some(value)
		case metric.DriftScore:
			event.DriftScore = metric.Some(value)
		default:
			if event.Metrics == nil {
				event.Metrics = make(map[string]float64, len(t.columns))
			}
			event.Metrics[c.field] = value
		}
	}

	return errors.Join(faults...)
}

// keep returns a cell as text, which is the last row's mostly.
func keep(last *string, cell []byte) string {
	if *last != string(cell) {
		*last = string(cell)
	}
	return *last
}
