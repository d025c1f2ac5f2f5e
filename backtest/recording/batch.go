package recording

import (
	"math"
	"time"

	"github.com/modelvigil/modelvigil/metric"
)

// Batch is rows that were read one after the other, all of which are events. It is
// valid until whoever it was given to returns: its memory is used again.
type Batch struct {
	names    []string // of what rows measured, by number
	numbers  map[string]int32
	rows     []row
	readings []reading // of all rows
	labels   []label   // of all rows

	rejected []rejectedRow
	zoneless int64 // times that said no zone
	twofold  int64 // of these, how many the zone's clocks show twice
	passed   map[string]bool
}

// row is one event but for its readings.
type row struct {
	at, arrived int64 // Unix nanoseconds; the same where a row doesn't say when it arrived
	arrives     bool  // it does
	model       string
	version     string
	end         int // of its readings in the batch's
	labelsEnd   int // of its labels
}

// reading is one value of a row.
type reading struct {
	name  int32
	value float64
}

// label is one reading of a row that is a name.
type label struct {
	name int32
	text string
}

// rejectedRow is a row that is no event.
type rejectedRow struct {
	line  int
	model string // empty if that can't be known
	err   error
}

func (b *Batch) reset() {
	b.rows = b.rows[:0]
	b.readings = b.readings[:0]
	b.labels = b.labels[:0]
	b.rejected = b.rejected[:0]
	b.zoneless = 0
	b.twofold = 0
	clear(b.passed)
}

// countZoneless counts an instant whose text named no zone and was taken for one of zone's.
func (b *Batch) countZoneless(at int64, zone *time.Location) {
	b.zoneless++
	if isTwofold(time.Unix(0, at).In(zone)) {
		b.twofold++
	}
}

// number is what stands for a name in the batch.
func (b *Batch) number(name string) int32 {
	if n, known := b.numbers[name]; known {
		return n
	}

	if b.numbers == nil {
		b.numbers = map[string]int32{}
	}
	n := int32(len(b.names)) //nolint:gosec // the names of a file's columns
	b.names = append(b.names, name)
	b.numbers[name] = n
	return n
}

func (b *Batch) passOver(name string) {
	if b.passed == nil {
		b.passed = map[string]bool{}
	}
	b.passed[name] = true
}

// Len is how many events there are.
func (b *Batch) Len() int { return len(b.rows) }

// Model is the name of the model that an event is of.
func (b *Batch) Model(i int) string { return b.rows[i].model }

// Clock is when an event arrived.
func (b *Batch) Clock(i int) time.Time { return time.Unix(0, b.rows[i].arrived) }

// Rejected are the models of the rows that could not be taken; empty where that can't
// be known.
func (b *Batch) Rejected() []string {
	models := make([]string, len(b.rejected))
	for i := range b.rejected {
		models[i] = b.rejected[i].model
	}
	return models
}

// Event reads the event of a row into one whose map is used again. It returns when
// the event arrived; zero where the row doesn't say.
func (b *Batch) Event(i int, into *metric.Event) (arrived time.Time) {
	r := &b.rows[i]
	begin(into, r.at)
	into.ModelName = r.model
	into.ModelVersion = r.version
	for _, measured := range b.readings[b.begin(i):r.end] {
		set(into, b.names[measured.name], measured.value)
	}
	for _, named := range b.labels[b.labelsBegin(i):r.labelsEnd] {
		setLabel(into, b.names[named.name], named.text)
	}
	if !r.arrives {
		return time.Time{}
	}
	return time.Unix(0, r.arrived).UTC()
}

func (b *Batch) begin(i int) int {
	if i == 0 {
		return 0
	}
	return b.rows[i-1].end
}

func (b *Batch) labelsBegin(i int) int {
	if i == 0 {
		return 0
	}
	return b.rows[i-1].labelsEnd
}

// begin empties an event for one of an instant.
func begin(e *metric.Event, at int64) {
	further, categories := e.Metrics, e.Categories
	clear(further)
	clear(categories)
	*e = metric.Event{Timestamp: time.Unix(0, at).UTC(), Metrics: further, Categories: categories}
}

// set puts a reading into an event.
func set(e *metric.Event, name string, value float64) {
	switch name {
	case metric.Accuracy:
		e.Accuracy = metric.Some(value)
	case metric.LatencyMS:
		e.LatencyMS = metric.Some(value)
	case metric.DriftScore:
		e.DriftScore = metric.Some(value)
	default:
		if e.Metrics == nil {
			e.Metrics = map[string]float64{}
		}
		e.Metrics[name] = value
	}
}

func setLabel(e *metric.Event, name, text string) {
	if e.Categories == nil {
		e.Categories = map[string]string{}
	}
	e.Categories[name] = text
}

// none is what stands for a reading that was not taken: no reading is NaN.
var none = math.NaN()
