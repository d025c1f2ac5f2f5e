package monitor

import (
	"cmp"
	"math/big"
	"slices"
	"time"

	"github.com/modelvigil/modelvigil/internal/clock"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
)

// track is what a monitor knows of one rule on one model version.
type track struct {
	At        time.Time      `json:"at,omitzero"`       // when it was last judged
	Verdict   Verdict        `json:"verdict,omitempty"` // then
	Value     metric.Reading `json:"value,omitzero"`    // and what it was
	Threshold metric.Reading `json:"threshold,omitzero"`
	// Deferred says that the rule would have triggered in the blackout that is on.
	Deferred bool    `json:"deferred,omitempty"`
	Window   *window `json:"window,omitempty"` // of a rule with a period
}

func newTrack(r *policy.Rule) *track {
	if r.IsWindowed() {
		return &track{Window: &window{}}
	}
	return &track{}
}

// newTracks are one of each rule, in one piece of memory: a version may be new with
// every event.
func newTracks(rules []policy.Rule) []*track {
	all := make([]track, len(rules))
	tracks := make([]*track, len(rules))
	windowed := 0
	for i := range rules {
		tracks[i] = &all[i]
		if rules[i].IsWindowed() {
			windowed++
		}
	}

	windows := make([]window, windowed)
	for i := range rules {
		if rules[i].IsWindowed() {
			windowed--
			all[i].Window = &windows[windowed]
		}
	}

	return tracks
}

// window is the recent past of a rule with a period.
type window struct {
	Open    []*bucket `json:"open,omitempty"`    // periods not judged yet, by start
	Points  []point   `json:"points,omitempty"`  // judged ones, oldest first
	Through int64     `json:"through,omitempty"` // end of the last period judged, in Unix seconds; none before is judged again
	Silence int64     `json:"silence,omitempty"` // of the first period whose silence counts, unless it is judged, in Unix seconds
	Late    int64     `json:"late,omitempty"`    // events that came when their period was judged
	LateAt  time.Time `json:"late_at,omitzero"`  // the timestamp of the last of them
	Held    bool      `json:"held,omitempty"`    // breaching until a datapoint is no longer beyond the clear threshold
	// First fills up with the version's first readings; its statistic is Base.
	First    *bucket        `json:"first,omitempty"`
	Base     metric.Reading `json:"base,omitzero"`
	Previous metric.Reading `json:"previous,omitzero"` // Base of the version before
	Detector *adwin         `json:"detector,omitempty"`
	Changed  time.Time      `json:"changed,omitzero"` // when a change was detected that counts
	From     metric.Reading `json:"from,omitzero"`    // the mean before it
	To       metric.Reading `json:"to,omitzero"`      // and after it
}

// bucket is what was measured in one period.
type bucket struct {
	Start  int64          `json:"start"` // Unix seconds
	Count  int64          `json:"count"`
	Sum    float64        `json:"sum"`
	Min    float64        `json:"min"`
	Max    float64        `json:"max"`
	Sketch *metric.Sketch `json:"sketch,omitempty"` // for a percentile
	// Approximate says that a digest crossed the period's boundary.
	Approximate bool `json:"approximate,omitempty"`
	// Coarse says that a digest came without a sketch: there is no percentile.
	Coarse bool `json:"coarse,omitempty"`
}

// point is a judged datapoint.
type point struct {
	Start       int64          `json:"start"`          // of its period, Unix seconds
	Value       metric.Reading `json:"value,omitzero"` // absent: missing
	Breach      bool           `json:"breach,omitempty"`
	Unknown     bool           `json:"unknown,omitempty"` // missing, or incomplete, by an outage on our side
	Approximate bool           `json:"approximate,omitempty"`
}

// add counts readings into a bucket.
func (b *bucket) add(summary *metric.Summary, percentile, crosses bool) {
	if b.Count == 0 {
		b.Min = summary.Min
		b.Max = summary.Max
	} else {
		b.Min, b.Max = min(b.Min, summary.Min), max(b.Max, summary.Max)
	}

	b.Count += summary.Count
	b.Sum += summary.Sum
	b.Approximate = b.Approximate || crosses
	if !percentile || b.Coarse {
		return
	}

	if b.Sketch == nil {
		b.Sketch = metric.NewSketch()
	}
	switch {
	case summary.Count == 1:
		b.Sketch.Add(summary.Min)
	case summary.Sketch == nil || b.Sketch.Merge(summary.Sketch) != nil:
		b.Sketch = nil
		b.Coarse = true
	}
}

// value is a statistic of what was measured; absent where there is none.
func (b *bucket) value(stat policy.Stat) metric.Reading {
	switch stat {
	case policy.StatCount:
		return metric.Some(float64(b.Count))
	case policy.StatSum:
		return metric.Some(b.Sum)
	}

	if b.Count == 0 {
		return metric.Reading{}
	}

	switch stat {
	case policy.StatMin:
		return metric.Some(b.Min)
	case policy.StatMax:
		return metric.Some(b.Max)
	case policy.StatMean:
		return metric.Some(min(max(b.Sum/float64(b.Count), b.Min), b.Max)) // rounding must not push it beyond
	}

	percent, _ := stat.Percentile()
	if b.Sketch == nil {
		return metric.Reading{}
	}

	value, err := b.Sketch.AtRank(nearestRank(percent, b.Count))
	if err != nil {
		return metric.Reading{}
	}

	return metric.Some(min(max(value, b.Min), b.Max))
}

// nearestRank is which of n readings in order of size, counted from 1, is a
// percentile: the first that at least so many per cent of all do not exceed. It is
// computed in integers: in floating point 99.9 / 100 * 1000 is above 999, and the
// rank after it would be taken.
func nearestRank(percent *big.Rat, n int64) int64 {
	share := new(big.Int).Mul(percent.Num(), big.NewInt(n))
	hundredth := new(big.Int).Mul(percent.Denom(), big.NewInt(100))
	rank, rest := new(big.Int).QuoRem(share, hundredth, new(big.Int))
	if rest.Sign() > 0 {
		return rank.Int64() + 1
	}
	return max(1, rank.Int64())
}

// feed puts an observation handled at now into the window of a rule, and says
// whether that opened a period. passed is until when the machine has let time pass.
func (w *window) feed(r *policy.Rule, o *observation, now, passed time.Time) (opened bool) {
	if r.KnowsSilence() && (w.nextSilence() == 0 || !r.DueAt(w.nextSilence()).After(passed)) {
		// Silence counts from the period of a version's first event on. That of the time in
		// which another version was heard is passed over.
		if w.nextSilence() == 0 {
			w.Silence = r.PeriodOf(now)
		}
		w.Silence = max(w.nextSilence(), r.FirstOpen(passed))
		opened = true
	}

	metric := o.metric(r.Metric)
	if metric == nil {
		return opened
	}

	percentile := r.Stat.IsPercentile()
	w.fillBaseline(r, metric, percentile)
	at := instantOf(r, o, now)
	start := r.PeriodOf(at)
	crosses := o.beganBefore(r, start)
	if n := len(w.Open); n > 0 && w.Open[n-1].Start == start {
		w.Open[n-1].add(metric, percentile, crosses)
		return opened
	}
	if start < w.Through || !r.DueAt(start).After(passed) {
		w.Late += metric.Count
		w.LateAt = clock.Later(w.LateAt, o.last)
		return opened
	}

	i, found := slices.BinarySearchFunc(w.Open, start, func(b *bucket, start int64) int { return cmp.Compare(b.Start, start) })
	if !found {
		w.Open = slices.Insert(w.Open, i, &bucket{Start: start})
		opened = true
	}

	w.Open[i].add(metric, percentile, crosses)
	return opened
}

// rest passes over the silence that nobody was woken for since it changed nothing, see
// isSettled: the last datapoints are what they would be if each had been judged.
func (w *window) rest(r *policy.Rule, passed time.Time) {
	next := r.FirstOpen(passed)
	if !r.KnowsSilence() || !w.isSettled(r) || next <= w.nextSilence() {
		return
	}

	for i := range w.Points {
		w.Points[i].Start += next - w.Through
	}
	w.Through = next
}

// nextSilence is the first period whose silence is still to be judged, if the rule
// knows it; 0 before the version's first event.
func (w *window) nextSilence() int64 { return max(w.Through, w.Silence) }

// instantOf is what puts an observation into its period. One that is ahead of the
// clock goes to the next period at most.
func instantOf(r *policy.Rule, o *observation, now time.Time) time.Time {
	at := o.last
	if r.Time == policy.TimeOfArrival {
		at = o.foldedUntil
		if o.foldedFrom.Before(at) {
			at = at.Add(-1) // the end of folding is exclusive
		}
	}
	return clock.Earlier(at, now.Add(r.PeriodLength()))
}

// beganBefore says that part of an observation was in a period before the one that
// begins at start.
func (o *observation) beganBefore(r *policy.Rule, start int64) bool {
	first := o.first
	if r.Time == policy.TimeOfArrival {
		first = o.foldedFrom
	}
	return first.Before(time.Unix(start, 0))
}

// nextDue is when the window's next datapoint is judged; ok is false while none
// is to come. silence says that a period without a reading is one too.
func (w *window) nextDue(r *policy.Rule, silence bool) (due time.Time, ok bool) {
	start := int64(0)
	if len(w.Open) > 0 {
		start = w.Open[0].Start
		ok = true
	}
	if next := w.nextSilence(); silence && next != 0 && (!ok || next < start) {
		start = next
		ok = true
	}

	if !ok {
		return time.Time{}, false
	}

	return r.DueAt(start), true
}

// isSettled says that further silence changes nothing that the rule says: every
// datapoint that is looked at is missing, and that is fine.
func (w *window) isSettled(r *policy.Rule) bool {
	_, n := r.MOfN()
	if r.Missing != policy.MissingOK || r.Stat == policy.StatCount || r.Stat == policy.StatSum || len(w.Points) < n {
		return false
	}
	for _, p := range w.Points[len(w.Points)-n:] {
		if !p.Value.IsZero() || p.Unknown {
			return false
		}
	}
	return true
}

// take removes the period that is due next, and returns what was measured in it.
func (w *window) take(r *policy.Rule, silence bool) *bucket {
	next := w.nextSilence()
	if len(w.Open) > 0 && (!silence || next == 0 || w.Open[0].Start <= next) {
		taken := w.Open[0]
		w.Open = slices.Delete(w.Open, 0, 1)
		w.Through = max(w.Through, taken.Start+r.PeriodSeconds())
		return taken
	}

	w.Through = next + r.PeriodSeconds()
	return &bucket{Start: next}
}

// skip passes over the silence of a long outage but for what is still in reach.
func (w *window) skip(r *policy.Rule, now time.Time) {
	if r.KnowsSilence() && w.nextSilence() != 0 {
		w.Silence = max(w.Silence, r.FirstOpen(now)-int64(r.Reach())*r.PeriodSeconds())
	}
}

// keep adds a judged datapoint, in order of time, and forgets those out of reach.
func (w *window) keep(r *policy.Rule, p point) {
	i := len(w.Points)
	for i > 0 && w.Points[i-1].Start > p.Start {
		i--
	}
	w.Points = slices.Insert(w.Points, i, p)
	w.forget(r)
}

// forget drops the datapoints that are out of reach of the last.
func (w *window) forget(r *policy.Rule) {
	if len(w.Points) == 0 {
		return
	}
	oldest := w.Points[len(w.Points)-1].Start - int64(r.Reach()-1)*r.PeriodSeconds()
	w.Points = slices.DeleteFunc(w.Points, func(p point) bool { return p.Start < oldest })
}

// count says how many of the last N datapoints breach, and how many there are.
func (w *window) count(r *policy.Rule) (breaching, of int) {
	_, n := r.MOfN()
	for _, p := range slices.Backward(w.Points) {
		switch {
		case of == n:
			return breaching, of
		case p.Unknown:
			continue
		case p.Value.IsZero() && r.IgnoresMissing():
			continue // earlier ones are looked at instead
		}

		of++
		if p.Breach {
			breaching++
		}
	}

	return breaching, of
}
