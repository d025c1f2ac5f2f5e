package window

import (
	"encoding/binary"
	"math"
	"slices"
	"time"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
)

// fillBaseline adds readings to a version's first ones until they are enough, or those
// of long enough. at puts them into their period.
func (w *Window) fillBaseline(r *policy.Rule, measured *metric.Summary, at time.Time) {
	if !r.HasBaseline() || !w.Base.IsZero() {
		return
	}
	b := r.BaselineOf()
	if b.From != policy.BaselineFirst && b.From != policy.BaselinePrevious {
		return
	}

	if w.First == nil {
		w.First = &Bucket{Start: at.Unix()}
	}
	isOver := b.Period.IsZero() || !at.Before(time.Unix(w.First.Start, 0).Add(time.Duration(b.Period.Value())))
	if !isOver || w.First.Count < b.Samples {
		w.First.add(measured, r.Stat, false)
	}
	if isOver && w.First.Count >= b.Samples {
		w.Base = w.First.value(r.Stat)
		w.First = nil
	}
}

// Baseline is what a rule measures against; absent until it is full.
func (w *Window) Baseline(r *policy.Rule) metric.Reading {
	if from := r.BaselineOf().From; from == policy.BaselinePrevious || from == policy.BaselineReplaced {
		return w.Previous
	}
	return w.Base
}

// threshold is beyond what a datapoint breaches; absent until the baseline is full.
func (w *Window) threshold(r *policy.Rule) metric.Reading {
	switch {
	case !r.Below.IsZero():
		return r.Below
	case !r.Above.IsZero():
		return r.Above
	}

	base, known := w.Baseline(r).Get()
	if !known {
		return metric.Reading{}
	}
	if margin, below := r.BelowBaselineBy.Get(); below {
		return metric.Some(base - margin.Of(base))
	}

	return metric.Some(base + r.AboveBaselineBy.Value().Of(base))
}

// Trail is what a baseline that is made of datapoints keeps: the last so many of each
// phase of the rule's season. There may be thousands, so they are packed.
type Trail struct {
	Values []byte `json:"values"` // float64, those of one phase after those of another
	Counts []byte `json:"counts"` // how many there are of each phase
	Passed []byte `json:"passed"` // how many breaching ones in a row were left out of each
}

const packedBytes = 8

// lookBack finds the baseline of a rule's datapoint from those before it.
func (w *Window) lookBack(r *Rule, start int64) {
	b := r.BaselineOf()
	if !r.HasBaseline() || b.From != policy.BaselineTrailing {
		return
	}

	w.Base = metric.Reading{}
	if w.Trail == nil {
		return
	}
	phase := phaseOf(r, start)
	if int(w.Trail.Counts[phase]) < b.Periods {
		return
	}

	sum := 0.0
	for i := range b.Periods {
		sum += w.Trail.value(phase*b.Periods + i)
	}
	w.Base = metric.Some(sum / float64(b.Periods))
}

// remember keeps a judged datapoint for what is measured against it. What is missing, or
// was lost in an outage, says nothing; isLost says so of what no baseline was known for.
func (w *Window) remember(r *Rule, p Point, readings int64, isLost bool) {
	value, measured := p.Value.Get()
	if !r.HasBaseline() || !measured || isLost {
		return
	}

	switch b := r.BaselineOf(); b.From {
	case policy.BaselineReplaced:
		w.Last = append(w.Last, Last{p.Start, value, readings})
		w.Last = slices.Delete(w.Last, 0, max(0, len(w.Last)-policy.ReplacedReach))
	case policy.BaselineTrailing:
		if w.Trail == nil {
			phases := int(r.Phases())
			w.Trail = &Trail{make([]byte, phases*b.Periods*packedBytes), make([]byte, phases), make([]byte, phases)}
		}
		w.Trail.add(phaseOf(r, p.Start), b.Periods, value, p.Breach)
	}
}

// add keeps a value of a phase that has room for so many. A breaching one is left out,
// unless so many of them were: then this is how things are now.
func (t *Trail) add(phase, room int, value float64, breaches bool) {
	if breaches && int(t.Passed[phase]) < room {
		t.Passed[phase]++
		return
	}
	if !breaches {
		t.Passed[phase] = 0
	}

	first := phase * room
	if int(t.Counts[phase]) == room {
		copy(t.Values[first*packedBytes:(first+room-1)*packedBytes], t.Values[(first+1)*packedBytes:(first+room)*packedBytes])
		t.Counts[phase]--
	}
	binary.LittleEndian.PutUint64(t.Values[(first+int(t.Counts[phase]))*packedBytes:], math.Float64bits(value))
	t.Counts[phase]++
}

func (t *Trail) value(i int) float64 {
	return math.Float64frombits(binary.LittleEndian.Uint64(t.Values[i*packedBytes:]))
}

// phaseOf is which period of its season one is.
func phaseOf(r *Rule, start int64) int {
	phases := r.Phases()
	return int((r.Periods.Number(start)%phases + phases) % phases)
}

// Last is a datapoint for the version that replaces this one.
type Last struct {
	Start    int64   `json:"start"` // of its period, Unix seconds
	Value    float64 `json:"value"`
	Readings int64   `json:"readings"`
}

// LastBefore is the mean, by readings, of the last datapoints of whole periods before
// one that hold at least so many; absent where there are fewer.
func (w *Window) LastBefore(start, samples int64) metric.Reading {
	sum := 0.0
	readings := int64(0)
	for _, last := range slices.Backward(w.Last) {
		if last.Start >= start {
			continue
		}
		sum += float64(last.Value * float64(last.Readings))
		readings += last.Readings
		if readings >= samples {
			return metric.Some(sum / float64(readings))
		}
	}

	return metric.Reading{}
}

// carryBaseline keeps what makes a baseline while it is made alike. One of first readings
// that is full stays; one that is filling up would have a gap where no rule asked for it.
func (w *Window) carryBaseline(o, r *policy.Rule) {
	was, is := o.BaselineOf(), r.BaselineOf()
	isOfDatapoints := func(b policy.Baseline) bool { return b.From == policy.BaselineTrailing }
	if !r.HasBaseline() || isOfDatapoints(is) != isOfDatapoints(was) {
		w.First = nil
	}
	if isOfDatapoints(is) != isOfDatapoints(was) {
		w.Base = metric.Reading{}
	}
	if !r.HasBaseline() || !isOfDatapoints(is) || is.Periods != was.Periods || is.Season != was.Season {
		w.Trail = nil
	}
	if !r.HasBaseline() || is.From != policy.BaselineReplaced {
		w.Last = nil
	}
	if is.From != was.From || is.From == policy.BaselineReplaced && is.Samples != was.Samples {
		w.Previous = metric.Reading{}
	}
}
