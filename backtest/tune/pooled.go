package tune

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/backtest/certify"
	"github.com/modelvigil/modelvigil/internal/plain"
)

// pooled is the mean of records of folds. Its interval is theirs, added in quadrature:
// folds are taken to be independent (MOVER; Zou & Donner, "Construction of confidence
// limits about effect measures", Statistics in Medicine 27, 2008).
func pooled(records []certify.Record) (all certify.Record) {
	n := float64(len(records))
	var below, above float64
	for _, r := range records {
		rate := r.FalseAlarms
		all.FalseAlarms.Mean += rate.Mean / n
		below += (rate.Mean - rate.Low) * (rate.Mean - rate.Low) / (n * n)
		above += (rate.High - rate.Mean) * (rate.High - rate.Mean) / (n * n)
	}
	all.FalseAlarms.Low = max(0, all.FalseAlarms.Mean-math.Sqrt(below))
	all.FalseAlarms.High = all.FalseAlarms.Mean + math.Sqrt(above)

	all.Changes = []certify.Found{}
	for i := range records[0].Changes {
		found := certify.Found{Change: records[0].Changes[i].Change}
		var p50, p95 []float64
		for _, r := range records {
			change := r.Changes[i]
			found.Found += change.Found / n
			found.Mean += change.Mean / n
			if change.DelayP50 != nil {
				p50 = append(p50, *change.DelayP50)
				p95 = append(p95, *change.DelayP95)
			}
		}
		found.DelayP50 = meanOf(p50)
		found.DelayP95 = meanOf(p95)
		all.Changes = append(all.Changes, found)
	}

	return all
}

func meanOf(values []float64) *float64 {
	if len(values) == 0 {
		return nil
	}
	sum := 0.0
	for _, x := range values {
		sum += x
	}
	mean := sum / float64(len(values))
	return &mean
}

// note says what could not be done.
func (t *Tuned) note(best *judged, length, per time.Duration) {
	say := func(format string, args ...any) { t.Notes = append(t.Notes, fmt.Sprintf(format, args...)) }
	if best.rate.Mean > t.Allowed {
		say("None of the %d points keeps to %s per %s; the one with the fewest false alarms was taken. Try further values, more datapoints, or allow more.",
			t.Points, plain.Number(t.Allowed), t.Per)
	}
	if t.FalseAlarms.Mean > t.Allowed && best.rate.Mean <= t.Allowed {
		say("The rate is kept on what was tuned on, and not on what was left out: %s per %s. A longer recording, or a smaller rate, is the remedy.",
			certify.RateText(t.FalseAlarms.Mean), t.Per)
	}
	const ruleOfThree = 3 // of so many that are expected, one recording in 20 shows none
	if least := ruleOfThree * float64(per) / float64(length); least > t.Allowed {
		say("A recording of %s can't show so small a rate: without any alarm in it, %s per %s can't be ruled out.", plain.Length(length), certify.RateText(least), t.Per)
	}
	for _, found := range t.Changes {
		if found.Found < 0.5 {
			say("%s is found in %.0f %% of cases within %s: within that rate these rules can't do better.", plain.Text(found.Change), 100*found.Found, plain.Length(certify.Horizon))
		}
	}

	for _, field := range slices.Sorted(maps.Keys(t.Values)) {
		value := t.Values[field]
		var others []string
		for _, fold := range t.Folds {
			if fold.Values[field] != value {
				others = append(others, fold.Values[field])
			}
		}
		if len(others) == len(t.Folds) && len(t.Folds) > 0 {
			say("%s is %s on the whole and %s on its parts: it is not certain.", plain.Text(field), value, strings.Join(others, ", "))
		}
	}
}
