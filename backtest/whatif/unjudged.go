package whatif

import (
	"fmt"
	"slices"
	"time"

	"github.com/modelvigil/modelvigil/internal/near"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/monitor"
)

// noteJudged notes that a rule has judged something.
func (r *rival) noteJudged(j *monitor.Judgement) {
	if r.judged == nil {
		r.judged = map[int]bool{}
	}
	isKnown := !j.Unknown && !j.Value.IsZero() && j.Verdict != monitor.Unknown
	if j.Late == 0 && (j.Breach || isKnown) {
		r.judged[j.Rule] = true
	}
}

// unjudged names the rules of the other policy that have judged nothing until an
// instant, and where nothing measures what they are about, which metrics may have been
// meant.
func (r *rival) unjudged(until time.Time) (said []string) {
	if r.policy == nil || r.machine == nil {
		return nil
	}
	status := r.machine.Overview(until)
	if status.Events == 0 {
		return nil
	}

	measured := status.Measured()
	for i := range status.Policy.Rules {
		rule := &status.Policy.Rules[i]
		if r.judged[i] || rule.Metric == "" && !rule.IsWindowed() {
			continue
		}

		text := fmt.Sprintf("rule %q has judged nothing", plain.Text(rule.Name))
		if _, isMeasured := slices.BinarySearch(measured, rule.Metric); rule.Metric != "" && !isMeasured {
			text += ": " + near.Unmeasured(rule.Metric, measured)
		}
		said = append(said, text)
	}
	return said
}
