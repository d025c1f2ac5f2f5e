package recording

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/modelvigil/modelvigil/internal/strict"
	"github.com/modelvigil/modelvigil/metric"
)

// What a member of an event's object holds.
type memberKind int8

const (
	memberOther      memberKind = iota // nothing that is read
	memberText                         // a field that is no reading
	memberReading                      // a metric's value
	memberMetrics                      // an object of metrics
	memberCategory                     // a category's value
	memberCategories                   // an object of categories
)

// member is what is known of the members of one name.
type member struct {
	kind  memberKind
	field string
	bit   int // of a field that the event names itself, to tell one that is given twice
}

// jsonParser makes rows of JSON: events in the form of the wire contract, or objects
// as pandas and warehouses write them, whose other members are further metrics.
type jsonParser struct {
	parser
	reader  *Reader
	columns map[string]string // field by its column
	members map[string]member // by name, as they come
	at      string            // of an element: "[3]: "
}

func (r *Reader) newJSONParser() *jsonParser {
	p := &jsonParser{parser: parser{zone: r.Zone, modelName: r.ModelName}, reader: r, columns: map[string]string{}, members: map[string]member{}}
	for field, column := range r.Columns {
		p.columns[column] = field
	}
	return p
}

func (p *jsonParser) refuse(b *Batch, line int, err error) {
	p.begin(b)
	p.row.model = ""
	p.reject(b, line, err)
}

// parse takes a line: an object, or an array of them.
func (p *jsonParser) parse(b *Batch, line int, text []byte) {
	text = bytes.TrimSpace(text)
	if text[0] != '[' {
		p.object(b, line, text)
		return
	}

	c := strict.Cursor{Data: text}
	from, rejectedFrom := len(b.rows), len(b.rejected)
	for i, more := 0, c.Open('[', ']'); more; i, more = i+1, c.More(']') {
		element := c.Element()
		if c.Bad {
			break
		}
		p.at = fmt.Sprintf("[%d]: ", i)
		p.object(b, line, element)
	}
	p.at = ""
	if !c.Ended() {
		b.rows = b.rows[:from]
		b.readings = b.readings[:b.begin(from)]
		b.labels = b.labels[:b.labelsBegin(from)]
		b.rejected = b.rejected[:rejectedFrom]
		p.refuse(b, line, explain(text))
	}
}

// object takes one event.
func (p *jsonParser) object(b *Batch, line int, text []byte) {
	p.begin(b)
	if !utf8.Valid(text) {
		p.refuse(b, line, errors.New("is not UTF-8 text"))
		return
	}

	c := strict.Cursor{Data: text}
	seen := 0
	for more := c.Open('{', '}'); more; more = c.More('}') {
		m := p.member(c.Key())
		if m.bit != 0 && seen&m.bit != 0 {
			p.faults = append(p.faults, fmt.Errorf("%s: is given twice", m.field))
		}
		seen |= m.bit
		p.value(b, &c, m)
	}

	if !c.Ended() {
		p.faults = append(p.faults[:0], explain(text))
	}
	if p.at != "" {
		for i, fault := range p.faults {
			p.faults[i] = fmt.Errorf("%s%w", p.at, fault)
		}
	}
	before := len(b.rejected)
	p.end(b, line)
	if p.at != "" && len(b.rejected) > before {
		if errors.Is(b.rejected[before].err, errNoTimestamp) {
			b.rejected[before].err = fmt.Errorf("%s%w", p.at, errNoTimestamp)
		}
	}
}

// explain says why a text is no object.
func explain(text []byte) error {
	var object map[string]json.RawMessage
	err := json.Unmarshal(text, &object)
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrongType):
		return fmt.Errorf("must be an event, a JSON object, got a %s", wrongType.Value)
	case err != nil:
		return fmt.Errorf("not JSON: %w", err)
	}
	return errors.New("not JSON: a number or a text is none")
}

// member says what a name stands for.
func (p *jsonParser) member(name []byte) member {
	if m, known := p.members[string(name)]; known {
		return m
	}

	m := p.newMember(string(name))
	if len(p.members) < maxKept {
		p.members[string(name)] = m
	}
	return m
}

func (p *jsonParser) newMember(name string) member {
	field, isMapped := p.columns[name]
	switch {
	case isMapped:
	case p.reader.Columns[name] != "": // another member holds that field
		return member{field: name}
	default:
		field = name
	}

	m := member{kind: memberReading, field: field}
	switch {
	case field == fieldArrival && !isMapped:
	case slices.Contains(ownFields, field):
		m.kind = memberText
		m.bit = 1 << slices.Index(ownFields, field)
	case slices.Contains(ownReadings[:], field):
		m.bit = 1 << (8 + slices.Index(ownReadings[:], field))
	case field == "metrics" && !isMapped:
		m.kind = memberMetrics
		m.bit = 1 << 16
	case field == "categories" && !isMapped:
		m.kind = memberCategories
		m.bit = 1 << 17
	}
	if category, is := p.reader.category(field); is && m.bit == 0 {
		return member{kind: memberCategory, field: category}
	}

	if m.kind == memberReading && !p.reader.wants(field) {
		m.kind = memberOther
	}
	return m
}

// value takes what a member holds.
func (p *jsonParser) value(b *Batch, c *strict.Cursor, m member) {
	switch m.kind {
	case memberText:
		p.text(b, c, m.field)
	case memberReading:
		p.number(b, c, m)
	case memberMetrics:
		p.metrics(b, c)
	case memberCategory:
		p.category(b, c, m.field)
	case memberCategories:
		p.categories(b, c)
	default:
		b.passOver(m.field)
		c.Element()
	}
}

// text takes a field that is no reading: a text, or a number, as timestamps and
// versions may be.
func (p *jsonParser) text(b *Batch, c *strict.Cursor, field string) {
	switch next := c.Next(); {
	case next == '"':
		text := c.Text()
		if !c.Bad && len(text) > 0 {
			p.cell(b, field, text)
		}
	case c.Null():
	case next == '{' || next == '[' || next == 't' || next == 'f':
		c.Element()
		p.faults = append(p.faults, fmt.Errorf("%s: must be a text", field))
	default:
		start := c.At
		c.Float()
		if !c.Bad {
			p.cell(b, field, c.Data[start:c.At])
		}
	}
}

// number takes a metric's value: a number, true or false, or a text of a number, as
// BigQuery writes decimals.
func (p *jsonParser) number(b *Batch, c *strict.Cursor, m member) {
	switch next := c.Next(); {
	case next == '"':
		text := c.Text()
		if c.Bad || isAbsent(text) {
			return
		}
		value, err := parseNumber(text, decimalPoint)
		if err == nil {
			p.reading(b, b.number(m.field), value)
			return
		}
		p.noNumber(b, m, text)
	case next == '{' || next == '[':
		p.noNumber(b, m, c.Element())
	case next == 't' || next == 'f':
		value := 0.0
		if c.Bool() {
			value = 1
		}
		p.reading(b, b.number(m.field), value)
	case next == 'N' && bytes.HasPrefix(c.Data[c.At:], []byte("NaN")):
		c.At += len("NaN")
	case c.Null():
	default:
		value := c.Float()
		if !c.Bad {
			p.reading(b, b.number(m.field), value)
		}
	}
}

// noNumber takes a value that is no number: of a metric that the event names itself
// it is wrong, of any other it is none.
func (p *jsonParser) noNumber(b *Batch, m member, value []byte) {
	if m.bit != 0 {
		p.faults = append(p.faults, notANumber(m.field, value))
		return
	}
	b.passOver(m.field)
}

func (p *jsonParser) metrics(b *Batch, c *strict.Cursor) {
	switch next := c.Next(); {
	case next == '{':
	case c.Null():
		return
	default:
		c.Element()
		p.faults = append(p.faults, errors.New("metrics: must be an object of numbers by name"))
		return
	}

	for more := c.Open('{', '}'); more; more = c.More('}') {
		m := p.member(c.Key())
		switch {
		case m.kind == memberReading && m.bit == 0:
			before := len(b.passed)
			p.number(b, c, m)
			if len(b.passed) > before {
				p.faults = append(p.faults, fmt.Errorf("metrics.%s: must be a number", m.field))
			}
		case m.bit != 0 && m.kind == memberReading:
			c.Element()
			p.faults = append(p.faults, fmt.Errorf("metrics.%s: is a field of the event itself; set it there", m.field))
		default:
			b.passOver(m.field)
			c.Element()
		}
	}
}

// category takes a category's value: a text, or a number or a boolean as text.
func (p *jsonParser) category(b *Batch, c *strict.Cursor, name string) {
	switch next := c.Next(); {
	case next == '"':
		text := c.Text()
		if !c.Bad && len(text) > 0 {
			p.label(b, b.number(name), text)
		}
	case c.Null():
	case next == '{' || next == '[':
		c.Element()
		p.faults = append(p.faults, fmt.Errorf("categories.%s: must be a text", name))
	default:
		text := c.Element()
		if !c.Bad {
			p.label(b, b.number(name), text)
		}
	}
}

func (p *jsonParser) categories(b *Batch, c *strict.Cursor) {
	switch next := c.Next(); {
	case next == '{':
	case c.Null():
		return
	default:
		c.Element()
		p.faults = append(p.faults, errors.New("categories: must be an object of names by name"))
		return
	}

	for more := c.Open('{', '}'); more; more = c.More('}') {
		name := string(c.Key())
		if metric.CheckName(name, 1, metric.MaxNameBytes) != nil || p.reader.WantedCategory != nil && !p.reader.WantedCategory(name) {
			b.passOver(name)
			c.Element()
			continue
		}
		p.category(b, c, name)
	}
}
