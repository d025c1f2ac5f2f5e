package backtest

import (
	"fmt"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// Account is what became of one rule: how much of what was recorded it has judged,
// and of what it has not, why. What is judged are datapoints where the rule has a
// period, and observations where it has none.
type Account struct {
	Name      string `json:"name"`
	Judged    int64  `json:"judged"`
	Breaching int64  `json:"breaching"` // of Judged

	Missing int64 `json:"missing,omitempty"` // periods without a reading
	TooFew  int64 `json:"too_few,omitempty"` // periods with fewer readings than min_samples
	Unknown int64 `json:"unknown,omitempty"` // datapoints that could not be judged, as before a baseline is full
	Late    int64 `json:"late,omitempty"`    // readings that came when their period was judged

	// Min and Max are the range of what was judged; absent where nothing was, or where
	// the rule measures nothing.
	Min metric.Reading `json:"min,omitzero"`
	Max metric.Reading `json:"max,omitzero"`

	// Lacks says what the rule still waits for, in words: a baseline that is not full,
	// a detector that has too few datapoints.
	Lacks string `json:"lacks,omitempty"`
}

// judged accounts for what a rule said.
func (s *Simulator) judged(j *monitor.Judgement) {
	rule, account := &s.policy.Rules[j.Rule], &s.result.Rules[j.Rule]
	if j.Late > 0 {
		account.Late += j.Late
		return
	}
	if rule.IsWindowed() && s.options.Datapoints {
		s.result.Datapoints = append(s.result.Datapoints, Datapoint{
			Rule: j.Rule, ModelVersion: j.ModelVersion, Start: j.Start, End: j.End,
			Readings: j.Readings, Value: j.Value, Threshold: j.Threshold, Breach: j.Breach, Unknown: j.Unknown, Verdict: j.Verdict,
		})
	}

	if j.Compared != nil && s.options.Datapoints {
		s.result.look(j)
	}

	value, measured := j.Value.Get()
	if rule.IsWindowed() && !measured {
		account.countUnmeasured(rule, j)
		return
	}
	if j.Unknown || j.Verdict == monitor.Unknown {
		account.Unknown++
		return
	}

	account.Judged++
	if j.Breach {
		account.Breaching++
	}
	if !measured {
		return
	}

	if least, any := account.Min.Get(); !any || value < least {
		account.Min = j.Value
	}
	if most, any := account.Max.Get(); !any || value > most {
		account.Max = j.Value
	}
}

// countUnmeasured accounts for a period of which there is no value. Where that
// counts as a breach it was judged all the same.
func (a *Account) countUnmeasured(rule *policy.Rule, j *monitor.Judgement) {
	switch {
	case j.Readings == 0:
		a.Missing++
	case j.Readings < rule.MinSamples:
		a.TooFew++
	default:
		a.Unknown++
	}

	if j.Breach {
		a.Judged++
		a.Breaching++
	}
}

// closeAccounts says what rules still lack when all is replayed.
func (s *Simulator) closeAccounts(status *monitor.Status) {
	for i := range s.result.Rules {
		rule, account := &s.policy.Rules[i], &s.result.Rules[i]
		if form := rule.Form(); form == policy.FormAge || form == policy.FormSilence {
			account.Judged = status.Events // the clock has shown them each event
			account.Breaching = min(account.Breaching, account.Judged)
			continue
		}
		account.Lacks = lacking(rule, account, readingsOfBaseline(status, i))
	}
}

// readingsOfBaseline is how many readings the fullest baseline of a rule has that is
// not full yet; 0 where one is full.
func readingsOfBaseline(status *monitor.Status, rule int) (most int64) {
	for _, version := range status.Versions {
		if rule >= len(version.Rules) {
			continue
		}
		if !version.Rules[rule].Baseline.IsZero() {
			return 0
		}
		most = max(most, version.Rules[rule].BaselineSamples)
	}
	return most
}

func lacking(rule *policy.Rule, account *Account, filled int64) string {
	breaching, _ := rule.MOfN()
	switch {
	case rule.Change != nil && account.Judged < monitor.MinChangeDatapoints:
		return fmt.Sprintf("%s has %d of the %d datapoints that it needs at least", rule.Change.Method(), account.Judged, monitor.MinChangeDatapoints)
	case rule.HasBaseline() && account.Judged == 0 && filled > 0:
		return fmt.Sprintf("the baseline has %d of %d readings", filled, rule.BaselineSamples())
	case rule.HasBaseline() && account.Judged == 0 && account.Unknown > 0:
		return "the baseline is not full"
	case rule.IsWindowed() && account.Judged > 0 && account.Judged < int64(breaching):
		return fmt.Sprintf("it has %d of the %d datapoints that must breach", account.Judged, breaching)
	}

	return ""
}
