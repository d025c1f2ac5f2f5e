package metric

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/modelvigil/modelvigil/internal/clock"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/internal/strict"
)

// MaxCount bounds what is counted at the edge, so that no total overflows: the
// events of a digest, a batch's number.
const MaxCount = 1_000_000_000_000

// Digest is what a publisher saw of one model version: any number of events,
// folded. The machine judges an event and a digest alike, as an observation.
// Extremes are exact, so whether some event breached is decided exactly as if
// each had been sent.
type Digest struct {
	ModelVersion string    `json:"model_version,omitempty"`
	Events       int64     `json:"events"`
	First        time.Time `json:"first"`        // the earliest event's timestamp
	Last         time.Time `json:"last"`         // the latest event's timestamp
	FoldedFrom   time.Time `json:"folded_from"`  // when folding began, by the publisher's clock
	FoldedUntil  time.Time `json:"folded_until"` // when it ended, exclusive
	// Late marks events that were published long after they were measured, such
	// as labels that come hours later.
	Late    bool                `json:"late,omitempty"`
	Metrics map[string]*Summary `json:"metrics,omitempty"`
	// Categories are the readings that are names, by the category's name.
	Categories map[string]*Values `json:"categories,omitempty"`
}

// Summary is one metric of a digest.
type Summary struct {
	Count int64     `json:"count"` // events that measured it, at least 1
	Sum   float64   `json:"sum"`
	Min   float64   `json:"min"`
	Max   float64   `json:"max"`
	MinAt time.Time `json:"min_at,omitzero"` // timestamp of the earliest event that measured Min; zero where nobody asked for it
	MaxAt time.Time `json:"max_at,omitzero"`
	// Sketch is the distribution; nil where the publisher kept none.
	Sketch *Sketch `json:"sketch,omitempty"`
	// Bins are the readings counted between the edges of references; none where the
	// publisher knew no edges.
	Bins []Bins `json:"bins,omitempty"`
}

// Add folds one valid reading into m, whose zero value is empty. It allocates
// only for the first reading and when the sketch grows.
func (m *Summary) Add(value float64, stamp time.Time) {
	if m.Count == 0 {
		m.Sketch = NewSketch()
		m.Min = value
		m.Max = value
		m.MinAt = stamp
		m.MaxAt = stamp
	}

	m.Count++
	m.Sum += value
	if m.Sketch != nil { // half a distribution would be a wrong one
		m.Sketch.Add(value)
	}
	if value <= m.Min && (value < m.Min || stamp.Before(m.MinAt)) {
		m.Min = value
		m.MinAt = stamp
	}
	if value >= m.Max && (value > m.Max || stamp.Before(m.MaxAt)) {
		m.Max = value
		m.MaxAt = stamp
	}
}

// Merge folds another digest of the same model version into d. It is
// associative and commutative, sums within rounding.
func (d *Digest) Merge(other *Digest) {
	d.Events += other.Events
	d.First, d.Last = clock.Earlier(d.First, other.First), clock.Later(d.Last, other.Last)
	d.FoldedFrom, d.FoldedUntil = clock.Earlier(d.FoldedFrom, other.FoldedFrom), clock.Later(d.FoldedUntil, other.FoldedUntil)
	for name, metric := range other.Metrics {
		if mine, measured := d.Metrics[name]; measured {
			mine.Merge(metric)
			continue
		}

		if d.Metrics == nil {
			d.Metrics = map[string]*Summary{}
		}
		copied := *metric
		copied.Sketch = metric.Sketch.Clone()
		copied.Bins = cloneBins(metric.Bins)
		d.Metrics[name] = &copied
	}

	for name, values := range other.Categories {
		if mine, measured := d.Categories[name]; measured {
			mine.Merge(values)
			continue
		}
		if d.Categories == nil {
			d.Categories = map[string]*Values{}
		}
		d.Categories[name] = values.Clone()
	}
}

// Merge folds another digest of the same metric into m.
func (m *Summary) Merge(other *Summary) {
	if m.Sketch == nil || other.Sketch == nil || m.Sketch.Merge(other.Sketch) != nil {
		m.Sketch = nil // half a distribution would be a wrong one
	}
	m.mergeBins(other)
	m.Count += other.Count
	m.Sum += other.Sum
	switch {
	case other.Min < m.Min:
		m.Min = other.Min
		m.MinAt = other.MinAt
	case other.Min == m.Min:
		m.MinAt = clock.Earlier(m.MinAt, other.MinAt)
	}

	switch {
	case other.Max > m.Max:
		m.Max = other.Max
		m.MaxAt = other.MaxAt
	case other.Max == m.Max:
		m.MaxAt = clock.Earlier(m.MaxAt, other.MaxAt)
	}
}

// Validate names the faults of a digest received at now, ten at most.
func (d *Digest) Validate(now time.Time) error {
	var faults strict.Faults
	faults.Add("model_version", CheckName(d.ModelVersion, 0, MaxModelVersionBytes))
	if d.Events < 1 || d.Events > MaxCount {
		faults.Add("events", fmt.Errorf("must be 1 to %d, got %d", int64(MaxCount), d.Events))
	}
	for _, stamp := range [...]struct {
		name  string
		value time.Time
	}{{"first", d.First}, {"last", d.Last}, {"folded_from", d.FoldedFrom}, {"folded_until", d.FoldedUntil}} {
		if stamp.value.IsZero() {
			faults.Add(stamp.name, errors.New("is missing"))
		}
		faults.Add(stamp.name, CheckTime(stamp.value, now))
	}

	if d.isBackwards() {
		faults.Add("", errors.New("last must not be before first, nor folded_until before folded_from"))
	}

	for _, name := range slices.Sorted(maps.Keys(d.Metrics)) {
		if faults.IsFull() && d.Metrics[name].isValid(d.Events) {
			continue
		}
		where := strict.Join("metrics", plain.Cut(name, strict.MaxPathBytes))
		faults.Add(where, CheckName(name, 1, MaxNameBytes))
		faults.Add(where, d.Metrics[name].validate(d.Events))
	}

	for _, name := range slices.Sorted(maps.Keys(d.Categories)) {
		if faults.IsFull() && d.Categories[name].isValid(d.Events) {
			continue
		}
		where := strict.Join("categories", plain.Cut(name, strict.MaxPathBytes))
		faults.Add(where, CheckName(name, 1, MaxNameBytes))
		faults.Add(where, d.Categories[name].validate(d.Events))
	}

	return faults.Err()
}

// IsValid is whether Validate finds no fault, at the price of some comparisons.
func (d *Digest) IsValid(now time.Time) bool {
	if !isName(d.ModelVersion, 0, MaxModelVersionBytes) || d.Events < 1 || d.Events > MaxCount || d.isBackwards() {
		return false
	}

	for _, stamp := range [...]time.Time{d.First, d.Last, d.FoldedFrom, d.FoldedUntil} {
		if stamp.IsZero() || !isTime(stamp, now) {
			return false
		}
	}

	for name, metric := range d.Metrics {
		if !isName(name, 1, MaxNameBytes) || !metric.isValid(d.Events) {
			return false
		}
	}

	for name, values := range d.Categories {
		if !isName(name, 1, MaxNameBytes) || !values.isValid(d.Events) {
			return false
		}
	}

	return true
}

func (d *Digest) isBackwards() bool {
	return d.Last.Before(d.First) || d.FoldedUntil.Before(d.FoldedFrom)
}

func (m *Summary) validate(events int64) error {
	if m == nil {
		return errors.New("must be an object, got null")
	}

	var faults strict.Faults
	if m.Count < 1 || m.Count > events {
		faults.Add("count", fmt.Errorf("must be 1 to the %d events of the digest, got %d", events, m.Count))
	}
	faults.Add("min", CheckReading(m.Min))
	faults.Add("max", CheckReading(m.Max))
	if m.Min > m.Max {
		faults.Add("min", fmt.Errorf("must not exceed max, got %v and %v", m.Min, m.Max))
	}
	if !m.addsUp() {
		faults.Add("sum", fmt.Errorf("must be what %d readings from %v to %v can add up to, got %v", m.Count, m.Min, m.Max, m.Sum))
	}
	faults.Add("bins", m.validateBins())
	return faults.Err()
}

// isValid is whether validate finds no fault.
func (m *Summary) isValid(events int64) bool {
	return m != nil && m.Count >= 1 && m.Count <= events && isInRange(m.Min) && isInRange(m.Max) && m.Min <= m.Max && m.addsUp() &&
		m.validateBins() == nil
}

// addsUp says that Count readings from Min to Max can have the sum.
func (m *Summary) addsUp() bool {
	count := float64(m.Count)
	return m.Sum >= count*m.Min-m.slack() && m.Sum <= count*m.Max+m.slack()
}

// slack is what rounding may add to, or take from, a sum of m.Count readings:
// far more than it does, far less than would make a mean absurd.
func (m *Summary) slack() float64 {
	return 1e-3 * float64(m.Count) * max(math.Abs(m.Min), math.Abs(m.Max))
}
