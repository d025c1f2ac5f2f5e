package hub

import (
	"fmt"
	"time"

	"github.com/modelvigil/modelvigil/metric"
)

// The metrics that an event names itself, in the order of accumulator.named.
var namedMetrics = metric.NamedByEvents()

// compartment says what is folded together: one version's events, late ones
// apart, of the seconds between two ends of periods, and before or after a baseline was full.
type compartment struct {
	from, until int64 // Unix seconds, the end exclusive
	late        bool
	version     string
	part        int // of the version's baselines, how many were full
}

// distance is how far a second lies outside.
func (c *compartment) distance(second int64) uint64 {
	switch { // unsigned differences are right across the whole range
	case second < c.from:
		return uint64(c.from) - uint64(second) //nolint:gosec // see above
	case second >= c.until:
		return uint64(second) - uint64(c.until) + 1 //nolint:gosec // see above
	}
	return 0
}

// accumulator is a digest in the making.
type accumulator struct {
	compartment
	since       time.Time // when folding began
	events      int64
	first, last time.Time
	wanted      *wanted
	named       [3]tally
	further     map[string]*tally
	known       []namedTally // those of further, as they came
	categories  map[string]*metric.Values
	readings    []reading // of the event at hand
	bytes       int       // of memory
	isFilling   bool      // its readings are counted
	isSealed    bool      // what was folded made a baseline full; what follows is folded apart
}

// namedTally is the tally of a further metric.
type namedTally struct {
	name string
	*tally
}

// reading is one of an event, and what it is folded into.
type reading struct {
	tally *tally
	value float64
}

func newAccumulator(c compartment, since time.Time, w *wanted) *accumulator {
	a := &accumulator{compartment: c, since: since, wanted: w, bytes: accumulatorBytes}
	for i := range a.named {
		a.named[i].want = w.named[i]
	}
	return a
}

// add folds an event, and returns by how many bytes of memory that grew. It fails before
// anything is folded, or begun: then a is as it was.
func (a *accumulator) add(event *metric.Event, stamp time.Time) (grown int, err error) {
	if len(event.Metrics)+len(event.Categories) > 0 {
		grown, err = a.addFurther(event, stamp)
		if err != nil {
			return 0, err
		}
	}

	switch {
	case a.events == 0:
		a.first = stamp
		a.last = stamp
	case stamp.After(a.last):
		a.last = stamp
	case stamp.Before(a.first):
		a.first = stamp
	}

	a.events++
	if value, taken := event.Accuracy.Get(); taken { // one after the other: an array would be a copy
		grown += a.named[0].add(value, stamp)
	}
	if value, taken := event.LatencyMS.Get(); taken {
		grown += a.named[1].add(value, stamp)
	}
	if value, taken := event.DriftScore.Get(); taken {
		grown += a.named[2].add(value, stamp)
	}

	return grown, nil
}

// addFurther folds the further metrics and the categories of an event.
func (a *accumulator) addFurther(event *metric.Event, stamp time.Time) (grown int, err error) {
	err = checkRoom("categories", event.Categories, a.categories, metric.MaxCategories)
	if err != nil {
		return 0, err
	}
	if !a.readKnown(event.Metrics) {
		grown, err = a.readAny(event, stamp)
		if err != nil {
			return 0, err
		}
	}

	for i := range a.readings {
		grown += a.readings[i].tally.add(a.readings[i].value, stamp)
	}
	return grown + a.addCategories(event.Categories), nil
}

// readKnown takes the further readings of an event, and says whether these are all, and
// fine: events of a model mostly measure the same, and to ask one for each name that is
// known costs half of what it costs to look for a place for each that it has.
func (a *accumulator) readKnown(further map[string]float64) (isWhole bool) {
	a.readings = a.readings[:0]
	if len(a.known) > 2*len(further) {
		return false
	}

	for i := range a.known {
		value, isThere := further[a.known[i].name]
		if !isThere {
			continue
		}
		if metric.CheckReading(value) != nil {
			return false
		}
		a.readings = append(a.readings, reading{a.known[i].tally, value})
	}
	return len(a.readings) == len(further)
}

// readAny takes the further readings of an event, and begins with those metrics that are
// new. It fails before it begins with any.
func (a *accumulator) readAny(event *metric.Event, stamp time.Time) (grown int, err error) {
	err = checkRoom("metrics", event.Metrics, a.further, metric.MaxExtraMetrics)
	if err != nil {
		return 0, err
	}

	isValid := false
	a.readings = a.readings[:0]
	for name, value := range event.Metrics {
		t := a.further[name]
		if !isValid && (t == nil || metric.CheckReading(value) != nil) { // else the name is known to be good
			err := event.Validate(stamp)
			if err != nil {
				return 0, err
			}
			isValid = true
		}
		if t == nil {
			t = a.open(name)
			grown += t.Bytes()
		}
		a.readings = append(a.readings, reading{t, value})
	}

	return grown, nil
}

// checkRoom says whether those of an event fit among the known ones of its version.
func checkRoom[E, K any](of string, event map[string]E, known map[string]K, most int) error {
	begun := 0
	for name := range event {
		if _, isKnown := known[name]; isKnown {
			continue
		}
		begun++
		if len(known)+begun > most {
			return fmt.Errorf("%s.%s: more than %d of one version", of, name, most)
		}
	}
	return nil
}

// open begins with a further metric.
func (a *accumulator) open(name string) *tally {
	if a.further == nil {
		a.further = map[string]*tally{}
	}
	t := &tally{want: a.wanted.of(name)}
	a.further[name] = t
	a.known = append(a.known, namedTally{name, t})
	return t
}

// lighten lets go of sketches that nobody wants any more, given what is wanted of its
// version, and returns how many bytes that was.
func (a *accumulator) lighten(w *wanted) (freed int) {
	for i, name := range namedMetrics {
		freed += a.named[i].lighten(w.of(name))
	}
	for _, t := range a.known {
		freed += t.lighten(w.of(t.name))
	}
	a.bytes -= freed
	a.wanted = w
	return freed
}

// addCategories counts the readings that are names.
func (a *accumulator) addCategories(categories map[string]string) (grown int) {
	for name, value := range categories {
		values := a.categories[name]
		if values == nil {
			if a.categories == nil {
				a.categories = map[string]*metric.Values{}
			}
			values = &metric.Values{}
			a.categories[name] = values
			grown += values.Bytes() + len(name)
		}
		grown += values.Add(value, 1)
	}
	return grown
}

func (a *accumulator) digest(until time.Time) *metric.Digest {
	since, until := a.since.UTC().Round(0), until.UTC().Round(0)
	if until.Before(since) { // the clock was set back
		until = since
	}
	d := &metric.Digest{
		ModelVersion: a.version, Events: a.events, Late: a.late,
		First: a.first.UTC(), Last: a.last.UTC(), FoldedFrom: since, FoldedUntil: until,
		Metrics: make(map[string]*metric.Summary, len(a.named)+len(a.further)),
	}
	put := func(name string, t *tally) {
		if t.Count > 0 {
			t.MinAt, t.MaxAt = t.MinAt.UTC(), t.MaxAt.UTC()
			d.Metrics[name] = &t.Summary
		}
	}

	for i, name := range namedMetrics {
		put(name, &a.named[i])
	}
	for name, m := range a.further {
		put(name, m)
	}
	if len(a.categories) > 0 {
		d.Categories = make(map[string]*metric.Values, len(a.categories))
	}
	for name, values := range a.categories {
		if len(values.Counts) > 0 {
			d.Categories[name] = values
		}
	}
	return d
}
