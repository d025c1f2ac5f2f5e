package window

import (
	"fmt"
	"strings"

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
		return fmt.Sprintf("%s %s from %s to %s, by %s", what, way, r.Format(w.From.Value()), r.Format(w.To.Value()), r.Change.Method())
	}

	suffix := ""
	if _, n := r.MOfN(); n > 1 {
		breaching, of := w.count(r)
		suffix = fmt.Sprintf(", %d of %d periods of %s", breaching, of, r.Period.Value())
	} else {
		suffix = fmt.Sprintf(" over %s", r.Period.Value())
	}

	value, measured := t.Value.Get()
	threshold, base := t.Threshold.Value(), w.Baseline(r)
	what += " " + r.Format(value)
	switch {
	case !measured:
		return strings.TrimSuffix(what, r.Format(value)) + "missing" + suffix
	case !r.IsBeyond(value, threshold): // what breaches is an earlier datapoint
		if clear, clears := r.ClearThreshold(); clears {
			return fmt.Sprintf("%s not past %s since it was beyond threshold %s%s", what, r.Format(clear), r.Format(threshold), suffix)
		}
		return fmt.Sprintf("%s, earlier ones beyond threshold %s%s", what, r.Format(threshold), suffix)
	case !r.Below.IsZero():
		return fmt.Sprintf("%s below threshold %s%s", what, r.Format(threshold), suffix)
	case !r.Above.IsZero():
		return fmt.Sprintf("%s above threshold %s%s", what, r.Format(threshold), suffix)
	case !r.BelowBaselineBy.IsZero():
		return fmt.Sprintf("%s below baseline %s by more than %s%s", what, r.Format(base.Value()), r.BelowBaselineBy.Value(), suffix)
	}

	return fmt.Sprintf("%s above baseline %s by more than %s%s", what, r.Format(base.Value()), r.AboveBaselineBy.Value(), suffix)
}
