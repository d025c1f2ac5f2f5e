package rehearse

import (
	"fmt"
	"time"

	"github.com/modelvigil/modelvigil/backtest"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
)

// Yardstick is a way to retrain without looking at the model, which a policy is
// held against.
type Yardstick struct {
	kind  string
	every time.Duration // of a calendar; 0: as often as the policy has retrained
}

// ParseYardstick reads never, always, calendar, or how often a calendar retrains, as
// a duration.
//
//   - never: the first model stays;
//   - always: every look of the policy's rules asks for a retraining: each period
//     where they have one, else each event; the policy's cooldown spaces them;
//   - calendar: as many retrainings as the policy's, evenly spaced.
func ParseYardstick(text string) (Yardstick, error) {
	switch text {
	case "never", "always", "calendar":
		return Yardstick{kind: text}, nil
	}
	every, err := time.ParseDuration(text)
	if err != nil || every < time.Second {
		return Yardstick{}, fmt.Errorf("must be never, always, calendar, or a calendar's interval of 1s or more such as 168h, got %q", text)
	}
	return Yardstick{kind: "calendar", every: every}, nil
}

// policy is the yardstick as a policy for a model, to be held against one whose
// result is known.
func (y Yardstick) policy(measured backtest.Policy, result *Result) backtest.Policy {
	made := backtest.Policy{Label: y.kind, ModelName: measured.ModelName}
	made.Cooldown = measured.WithDefaults().Cooldown
	made.Retraining = measured.Retraining
	every := y.every
	if n := result.Retrainings.Requested; y.kind == "calendar" && every == 0 && n > 0 {
		made.Label = fmt.Sprintf("calendar of %d", n)
		// Half an interval is left at the end, so that the last one is within.
		every = (2 * result.Last.Sub(result.First) / time.Duration(2*n+1)).Truncate(time.Second)
	}

	switch {
	case y.kind == "always":
		made.Rules = []policy.Rule{everyLook(measured.Policy)}
	case every > 0:
		if y.every > 0 {
			made.Label = "every " + policy.Duration(y.every).String()
		}
		made.Rules = []policy.Rule{{Name: "calendar", MaxAge: metric.Some(policy.Duration(max(every, time.Second)))}}
		made.Cooldown = metric.Some(policy.Duration(0))
	default:
		// No reading is below the least that there is.
		made.Rules = []policy.Rule{{Name: "never", Metric: metric.Accuracy, Below: metric.Some(-metric.MaxMagnitude)}}
	}

	return made
}

// everyLook is a rule that breaches as often as a policy's rules are looked at: at the
// end of each of their shortest periods, or at each event.
func everyLook(measured policy.Policy) policy.Rule {
	rule := policy.Rule{Name: "always", Metric: metric.Accuracy, Above: metric.Some(-metric.MaxMagnitude)}
	for _, r := range measured.WithDefaults().Rules {
		if r.Condition || r.Severity == policy.Warning || r.Metric == "" {
			continue
		}
		if !r.IsWindowed() {
			rule.Metric = r.Metric
			rule.Period = metric.Optional[policy.Duration]{}
			rule.Stat = ""
			break
		}
		if rule.Period.IsZero() || r.PeriodLength() < rule.PeriodLength() {
			rule.Metric = r.Metric
			rule.Period = r.Period
			rule.Grace = r.Grace
			rule.Time = r.Time
			rule.Stat = policy.StatMax
		}
	}

	if rule.Period.IsZero() {
		rule.Grace = metric.Optional[policy.Duration]{}
		rule.Time = ""
	}
	return rule
}
