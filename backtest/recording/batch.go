package recording

import (
	"time"

	"github.com/modelvigil/modelvigil/metric/table"
)

// Batch is rows that were read one after the other, all of which are events. It is
// valid until whoever it was given to returns: its memory is used again.
type Batch struct {
	names    []string // of what rows measured, by number
	numbers  map[string]int32
	heading  *table.Columns // of names
	places   []int          // in the heading, by number
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

// Row reads an event into a row whose memory is used again. It returns when the event
// arrived; zero where the batch doesn't say.
func (b *Batch) Row(i int, into *table.Row) (arrived time.Time) {
	r := &b.rows[i]
	into.Begin(b.heading)
	into.Timestamp = time.Unix(0, r.at).UTC()
	into.ModelName = r.model
	into.ModelVersion = r.version
	for _, measured := range b.readings[b.begin(i):r.end] {
		into.Values[b.places[measured.name]] = measured.value
	}
	for _, named := range b.labels[b.labelsBegin(i):r.labelsEnd] {
		into.SetCategory(b.names[named.name], named.text)
	}

	if !r.arrives {
		return time.Time{}
	}
	return time.Unix(0, r.arrived).UTC()
}

// head makes the heading of the batch's rows, once no more are added. Who reads them may
// do so on several goroutines.
func (b *Batch) head() {
	if b.heading != nil && len(b.places) == len(b.names) {
		return
	}
	b.heading = table.ColumnsOf(b.names)
	b.places = b.places[:0]
	for _, name := range b.names {
		b.places = append(b.places, b.heading.Place(name))
	}
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
