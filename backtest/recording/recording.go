// Package recording reads what was measured, as people have it: CSV, JSON and
// Parquet files, as columns in memory or as a stream.
package recording

import (
	"cmp"
	"math"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/metric/table"
)

// Recording is what was measured, in memory.
type Recording struct {
	Models   []*Model // by name
	Rejected int64    // rows that could not be taken, whosesoever
}

// Model is one model's part of a recording: a table, column by column. Its rows are
// events that are valid and have a timestamp, in the order of their arrival; those of
// the same instant are in the order in which they were read.
type Model struct {
	Name string
	// Rejected are the rows known to be this model's that could not be taken. Where
	// a recording has one model alone, all are.
	Rejected int64

	at       []int64 // Unix nanoseconds
	arrived  []int64 // the same, of rows that say so; nil while none does
	version  []uint32
	versions []string
	columns  []*Column // those that the event names itself first, then by name
	heading  *table.Columns
	byPlace  [][]float64 // the columns' values, by their places in the heading
	named    []*named    // categories, by name
	texts    []string    // their values; the first is none
	unsorted bool
}

// Column is one metric of a model.
type Column struct {
	Name   string
	values []float64 // none where nothing was measured; it may end before the rows do
}

// named is one category of a model.
type named struct {
	name   string
	values []uint32 // of the model's texts; 0 where nothing was measured; it may end before the rows do
}

// At is the reading of a row, if one was taken.
func (c *Column) At(i int) (value float64, measured bool) {
	if i >= len(c.values) {
		return 0, false
	}
	return c.values[i], !math.IsNaN(c.values[i])
}

// Model returns a model by its name, or nil.
func (r *Recording) Model(name string) *Model {
	at := sort.Search(len(r.Models), func(i int) bool { return r.Models[i].Name >= name })
	if at < len(r.Models) && r.Models[at].Name == name {
		return r.Models[at]
	}
	return nil
}

// Events is how many there are of all models.
func (r *Recording) Events() (total int64) {
	for _, model := range r.Models {
		total += int64(model.Len())
	}
	return total
}

// Len is how many events there are.
func (m *Model) Len() int { return len(m.at) }

// Columns are what was measured. Those that the event names itself come first, then
// the others by name.
func (m *Model) Columns() []*Column { return m.columns }

// Time is the timestamp of an event.
func (m *Model) Time(i int) time.Time { return time.Unix(0, m.at[i]).UTC() }

// Row reads an event into a row whose memory is used again. It returns when the event
// arrived; zero where the recording doesn't say.
func (m *Model) Row(i int, into *table.Row) (arrived time.Time) {
	into.Begin(m.heading)
	into.Timestamp = m.Time(i)
	into.ModelName = m.Name
	into.ModelVersion = m.versions[m.version[i]]
	for place, values := range m.byPlace {
		if i < len(values) {
			into.Values[place] = values[i]
		}
	}
	for _, c := range m.named {
		if i < len(c.values) && c.values[i] != 0 {
			into.SetCategory(c.name, m.texts[c.values[i]])
		}
	}

	if m.arrived == nil || m.arrived[i] == math.MinInt64 {
		return time.Time{}
	}
	return time.Unix(0, m.arrived[i]).UTC()
}

// head makes the heading of the model's rows.
func (m *Model) head() {
	names := make([]string, len(m.columns))
	for i, c := range m.columns {
		names[i] = c.Name
	}
	m.heading = table.ColumnsOf(names)
	m.byPlace = make([][]float64, len(m.heading.Names()))
	for _, c := range m.columns {
		m.byPlace[m.heading.Place(c.Name)] = c.values
	}
}

// Recorder collects events one by one into a recording.
type Recorder struct {
	collector collector
	batch     Batch
}

// Add takes an event, which must be valid and have a timestamp. Nothing of it is kept.
func (r *Recorder) Add(e *metric.Event) {
	b := &r.batch
	b.reset()
	for _, own := range []struct {
		name    string
		reading metric.Reading
	}{{metric.Accuracy, e.Accuracy}, {metric.LatencyMS, e.LatencyMS}, {metric.DriftScore, e.DriftScore}} {
		if value, taken := own.reading.Get(); taken {
			b.readings = append(b.readings, reading{b.number(own.name), value})
		}
	}
	for name, value := range e.Metrics {
		b.readings = append(b.readings, reading{b.number(name), value})
	}
	for name, text := range e.Categories {
		b.labels = append(b.labels, label{b.number(name), text})
	}

	at := e.Timestamp.UnixNano()
	b.rows = append(b.rows, row{
		at: at, arrived: at, model: e.ModelName, version: e.ModelVersion, end: len(b.readings), labelsEnd: len(b.labels),
	})
	r.collector.add(b)
}

// Recording is what was collected, in order. The recorder must not be used after it.
func (r *Recorder) Recording() *Recording { return r.collector.recording() }

// Of is a recording of events that are valid and have timestamps.
func Of(events ...metric.Event) *Recording {
	r := &Recorder{}
	for i := range events {
		r.Add(&events[i])
	}
	return r.Recording()
}

// collector puts batches into a recording.
type collector struct {
	models   map[string]*collected
	last     *collected
	rejected int64
}

// collected is a model under way.
type collected struct {
	Model
	byName   map[string]*Column
	known    map[string]uint32 // versions
	last     uint32            // version
	numbered []*Column         // by the numbers of the batch last added
	of       *Batch            // which that is
	byText   map[string]uint32
}

func (c *collector) add(b *Batch) {
	for i := range b.rows {
		r := &b.rows[i]
		m := c.last
		if m == nil || m.Name != r.model {
			m = c.model(r.model)
			c.last = m
		}
		m.add(r, b, b.readings[b.begin(i):r.end])
		m.addLabels(b, b.labels[b.labelsBegin(i):r.labelsEnd])
	}
	for i := range b.rejected {
		c.reject(b.rejected[i].model)
	}
}

func (c *collector) reject(model string) {
	c.rejected++
	if contract.ValidateModelName(model) == nil {
		c.model(model).Rejected++
	}
}

func (c *collector) model(name string) *collected {
	if m := c.models[name]; m != nil {
		return m
	}
	if c.models == nil {
		c.models = map[string]*collected{}
	}
	m := &collected{Model: Model{Name: strings.Clone(name)}, byName: map[string]*Column{}, known: map[string]uint32{}, byText: map[string]uint32{}}
	m.texts = []string{""}
	c.models[m.Name] = m
	return m
}

func (m *collected) add(r *row, b *Batch, readings []reading) {
	n := len(m.at)
	if len(m.versions) == 0 || m.versions[m.last] != r.version {
		m.last = m.numberOf(r.version)
	}
	if n > 0 && r.arrived < m.clock(n-1) {
		m.unsorted = true
	}
	m.at = append(m.at, r.at)
	m.version = append(m.version, m.last)
	if r.arrives && m.arrived == nil {
		m.arrived = make([]int64, n, n+1)
		for i := range m.arrived {
			m.arrived[i] = math.MinInt64
		}
	}
	switch {
	case r.arrives:
		m.arrived = append(m.arrived, r.arrived)
	case m.arrived != nil:
		m.arrived = append(m.arrived, math.MinInt64)
	}

	if m.of != b {
		m.of = b
		m.numbered = m.numbered[:0]
	}
	for _, measured := range readings {
		for int(measured.name) >= len(m.numbered) {
			m.numbered = append(m.numbered, nil)
		}
		c := m.numbered[measured.name]
		if c == nil {
			c = m.column(b.names[measured.name])
			m.numbered[measured.name] = c
		}
		for len(c.values) < n {
			c.values = append(c.values, table.None)
		}
		if len(c.values) > n { // it was given twice
			c.values[n] = measured.value
			continue
		}
		c.values = append(c.values, measured.value)
	}
}

// addLabels adds the categories of the row that was added last.
func (m *collected) addLabels(b *Batch, labels []label) {
	n := len(m.at) - 1
	for _, l := range labels {
		text, known := m.byText[l.text]
		if !known {
			text = uint32(len(m.texts)) //nolint:gosec // fewer than there are rows
			m.byText[strings.Clone(l.text)] = text
			m.texts = append(m.texts, strings.Clone(l.text))
		}

		name := b.names[l.name]
		i := slices.IndexFunc(m.named, func(c *named) bool { return c.name == name })
		if i < 0 {
			i = len(m.named)
			m.named = append(m.named, &named{name: strings.Clone(name)})
		}
		c := m.named[i]
		for len(c.values) <= n {
			c.values = append(c.values, 0)
		}
		c.values[n] = text
	}
}

// clock is when a row was handled.
func (m *Model) clock(i int) int64 {
	if m.arrived != nil && m.arrived[i] != math.MinInt64 {
		return m.arrived[i]
	}
	return m.at[i]
}

func (m *collected) numberOf(version string) uint32 {
	if n, known := m.known[version]; known {
		return n
	}
	version = strings.Clone(version)
	n := uint32(len(m.versions)) //nolint:gosec // fewer than there are rows
	m.known[version] = n
	m.versions = append(m.versions, version)
	return n
}

func (m *collected) column(name string) *Column {
	if c := m.byName[name]; c != nil {
		return c
	}
	c := &Column{Name: strings.Clone(name)}
	m.byName[c.Name] = c
	m.columns = append(m.columns, c)
	return c
}

// recording is all that was collected, in order.
func (c *collector) recording() *Recording {
	made := &Recording{Rejected: c.rejected}
	for _, m := range c.models {
		if m.unsorted {
			m.sort()
		}
		slices.SortFunc(m.columns, func(a, b *Column) int {
			return cmp.Or(cmp.Compare(place(a.Name), place(b.Name)), cmp.Compare(a.Name, b.Name))
		})
		slices.SortFunc(m.named, func(a, b *named) int { return cmp.Compare(a.name, b.name) })
		m.head()
		made.Models = append(made.Models, &m.Model)
	}

	slices.SortFunc(made.Models, func(a, b *Model) int { return cmp.Compare(a.Name, b.Name) })
	if len(made.Models) == 1 {
		made.Models[0].Rejected = c.rejected
	}
	return made
}

// place is where a metric comes among others.
func place(name string) int {
	if i := slices.Index(ownReadings[:], name); i >= 0 {
		return i
	}
	return len(ownReadings)
}

// sort puts the rows into the order of their arrival.
func (m *Model) sort() {
	type key struct {
		clock int64
		row   int
	}
	keys := make([]key, len(m.at))
	for i := range keys {
		keys[i] = key{m.clock(i), i}
	}
	slices.SortFunc(keys, func(a, b key) int { return cmp.Or(cmp.Compare(a.clock, b.clock), cmp.Compare(a.row, b.row)) })

	order := make([]int, len(keys))
	for i := range keys {
		order[i] = keys[i].row
	}
	m.at = inOrder(m.at, order)
	m.version = inOrder(m.version, order)
	if m.arrived != nil {
		m.arrived = inOrder(m.arrived, order)
	}
	for _, c := range m.columns {
		for len(c.values) < len(order) {
			c.values = append(c.values, table.None)
		}
		c.values = inOrder(c.values, order)
	}
	for _, c := range m.named {
		for len(c.values) < len(order) {
			c.values = append(c.values, 0)
		}
		c.values = inOrder(c.values, order)
	}
}

func inOrder[T any](values []T, order []int) []T {
	sorted := make([]T, len(order))
	for i, row := range order {
		sorted[i] = values[row]
	}
	return sorted
}
