package metric

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/internal/strict"
)

// cursor reads what events and batches are made of.
type cursor struct {
	strict.Cursor
	extremes []extremeTimes // of the digest at hand
}

// scan reads a batch, or says that it is none of this form. Members of other names
// are passed over: they are a newer hub's.
func (b *Batch) scan(payload []byte) bool {
	c := cursor{Cursor: strict.Cursor{Data: payload}}
	for more := c.Open('{', '}'); more; more = c.More('}') {
		switch string(c.Key()) {
		case "version":
			b.Version = int(c.optionalInteger())
		case "model_name":
			b.ModelName = c.optionalText()
		case "publisher":
			b.Publisher = c.optionalText()
		case "sequence":
			b.Sequence = c.optionalInteger()
		case "closed":
			b.Closed = !c.Null() && c.Bool()
		case "digests":
			b.Digests = c.digests()
		default:
			c.skip()
		}
	}

	return c.Ended()
}

func (c *cursor) optionalInteger() int64 {
	if c.Null() {
		return 0
	}
	return c.Int()
}

func (c *cursor) optionalText() string {
	if c.Null() {
		return ""
	}
	return string(c.Text())
}

// skip passes over a value of any kind.
func (c *cursor) skip() {
	value := c.Element()
	c.Bad = c.Bad || !json.Valid(value)
}

// stamp reads a time as Go writes it.
func (c *cursor) stamp() time.Time {
	if c.Null() {
		return time.Time{}
	}
	stamp, err := time.Parse(time.RFC3339, string(c.Text()))
	c.Bad = c.Bad || err != nil
	return stamp
}

func (c *cursor) digests() []*Digest {
	if c.Null() {
		return nil
	}
	if n := strict.CountMembers(c.Data[c.At:]); n > MaxObservations {
		c.Element()
		return make([]*Digest, n) // refused for their number alone
	}

	digests := []*Digest{}
	for more := c.Open('[', ']'); more; more = c.More(']') {
		if c.Null() {
			digests = append(digests, nil)
			continue
		}
		digests = append(digests, c.digest())
	}

	return digests
}

func (c *cursor) digest() *Digest {
	d := &Digest{}
	for more := c.Open('{', '}'); more; more = c.More('}') {
		switch string(c.Key()) {
		case "model_version", "v":
			d.ModelVersion = c.optionalText()
		case "events", "n":
			d.Events = c.optionalInteger()
		case "first":
			d.First = c.stamp()
		case "last":
			d.Last = c.stamp()
		case "folded_from":
			d.FoldedFrom = c.stamp()
		case "folded_until":
			d.FoldedUntil = c.stamp()
		case "t":
			c.compactTimes(d)
		case "late", "l":
			d.Late = !c.Null() && c.Bool()
		case "metrics", "m":
			d.Metrics = byName(c, c.metricDigest)
		case "categories", "c":
			d.Categories = byName(c, c.values)
		default:
			c.skip()
		}
	}

	c.settleExtremes(d)
	return d
}

// byName reads an object whose members are all of one kind; null is none of it.
func byName[T any](c *cursor, read func() *T) map[string]*T {
	if c.Null() {
		return nil
	}

	all := map[string]*T{}
	for more := c.Open('{', '}'); more; more = c.More('}') {
		name := string(c.Key())
		if c.Null() {
			all[name] = nil
			continue
		}
		all[name] = read()
	}

	return all
}

// values reads the readings of a category. A member of counts that is given twice is
// counted once, as encoding/json has it.
func (c *cursor) values() *Values {
	v := &Values{}
	for more := c.Open('{', '}'); more; more = c.More('}') {
		switch string(c.Key()) {
		case "counts":
			if c.Null() {
				continue
			}
			v.Counts = map[string]int64{}
			for more := c.Open('{', '}'); more; more = c.More('}') {
				value := string(c.Key())
				v.Counts[value] = c.optionalInteger()
			}
		case "other":
			v.Other = c.optionalInteger()
		default:
			c.skip()
		}
	}

	return v
}

func (c *cursor) metricDigest() *Summary {
	m := &Summary{}
	var packed []string // bins, whose total may be told later
	for more := c.Open('{', '}'); more; more = c.More('}') {
		switch string(c.Key()) {
		case "count":
			m.Count = c.optionalInteger()
		case "sum":
			m.Sum = c.optionalNumber()
		case "min":
			m.Min = c.optionalNumber()
		case "max":
			m.Max = c.optionalNumber()
		case "min_at":
			m.MinAt = c.stamp()
		case "max_at":
			m.MaxAt = c.stamp()
		case "v":
			c.compactValues(m)
		case "t":
			c.compactExtremes(m)
		case "sketch", "q":
			m.Sketch = c.sketch()
		case "bins":
			m.Bins = c.bins()
		case "b":
			packed = c.texts()
		default:
			c.skip()
		}
	}

	if packed != nil {
		bins, err := unpackBins(packed, m.Count)
		m.Bins = bins
		c.Bad = c.Bad || err != nil
	}
	return m
}

func (c *cursor) optionalNumber() float64 {
	if c.Null() {
		return 0
	}
	return c.Float()
}

func (c *cursor) sketch() *Sketch {
	if c.Null() {
		return nil
	}
	sketch := &Sketch{}
	c.Bad = sketch.readBase64(c.Text()) != nil || c.Bad
	return sketch
}

// maxExplainedBatch bounds a payload that encoding/json is asked about: it builds
// what it reads, a hundred bytes for each two.
const maxExplainedBatch = 64 << 10

// explainBatch says why a payload is no batch.
func explainBatch(payload []byte) error {
	if len(payload) > maxExplainedBatch {
		return fmt.Errorf("not a batch in JSON, and its %d bytes are too many to say where; it begins %s", len(payload), plain.Cut(string(payload[:240]), 60))
	}
	var batch Batch
	err := json.Unmarshal(payload, &batch)
	if err == nil {
		return errors.New("not in the form of a batch: a member is given in another case, or in a form that no hub writes")
	}
	return strict.Got(err, payload)
}
