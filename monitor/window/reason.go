package window

import (
	"fmt"

	"github.com/modelvigil/modelvigil/policy"
)

// Reason says why a rule with a period breaches.
func (t *Track) Reason(r *policy.Rule) string {
	if r.IsDrift() {
		return t.driftReason(r)
	}

	w := t.Window
	what := fmt.Sprintf("%s %s", policy.Word(r.Metric), r.Stat)
	if r.Change != nil {
		way := "rose"
		if w.To.Value() < w.From.Value() {
			way = "fell"
		}
		figures := r.Figures(w.From.Value(), w.To.Value())
		return fmt.Sprintf("%s %s from %s to %s, by %s", what, way, figures[0], figures[1], r.Change.Method())
	}

	suffix := ""
	if _, n := r.MOfN(); n > 1 {
		breaching, of := Count(r, w.Points)
		suffix = fmt.Sprintf(", %d of %d periods of %s", breaching, of, r.Period.Value())
	} else {
		suffix = fmt.Sprintf(" over %s", r.Period.Value())
	}

	value, measured := t.Value.Get()
	if !measured {
		return what + " missing" + suffix
	}

	threshold := t.Threshold.Value()
	clear, clears := r.ClearThreshold()
	if !r.IsBeyond(value, threshold) { // what breaches is an earlier datapoint
		if clears {
			figures := r.Figures(value, clear, threshold)
			return fmt.Sprintf("%s %s not past %s since it was beyond threshold %s%s", what, figures[0], figures[1], figures[2], suffix)
		}
		figures := r.Figures(value, threshold)
		return fmt.Sprintf("%s %s, earlier ones beyond threshold %s%s", what, figures[0], figures[1], suffix)
	}

	side := "above"
	if r.BreachesLow() {
		side = "below"
	}
	if !r.Below.IsZero() || !r.Above.IsZero() {
		figures := r.Figures(value, threshold)
		return fmt.Sprintf("%s %s %s threshold %s%s", what, figures[0], side, figures[1], suffix)
	}

	by := r.AboveBaselineBy
	if r.BreachesLow() {
		by = r.BelowBaselineBy
	}
	figures := r.Figures(value, w.Baseline(r).Value())
	return fmt.Sprintf("%s %s %s baseline %s by more than %s%s", what, figures[0], side, figures[1], by.Value(), suffix)
}
