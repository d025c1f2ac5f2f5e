package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// A feature and a category are held against what the version began with, by the built
// programs: nothing is asked for while they are as they were, and once for a shift.
func TestAShiftOfAFeatureAndOfACategoryIsFoundLive(t *testing.T) {
	for _, c := range []struct{ model, rule, reason string }{
		{"drift-of-age", `{name: age, metric: age, period: 2s, above: 0.5, drift: {statistic: ks, reference: {from: first, samples: 400}}}`, "age ks "},
		{"drift-of-country", `{name: country, category: country, period: 2s, above: 0.5, drift: {statistic: tvd, reference: {from: first, samples: 400}}}`, "country tvd "},
		{"drift-by-a-rate", `{name: age, metric: age, period: 2s, false_alarms: "1 per 5m", drift: {statistic: psi, reference: {from: first, samples: 400}}}`, "age psi "},
	} {
		t.Run(c.model, func(t *testing.T) {
			t.Parallel()
			queue := c.model
			startWorker(t, queue, "MODELOPS_BACKEND=log")
			mustStarter(t, queue, fmt.Sprintf("model_name: %s\nrules: [%s]\n", c.model, c.rule), "apply", "-")

			publish := func(from int, country string) {
				var events strings.Builder
				for i := range 100 {
					fmt.Fprintf(&events, `{"timestamp": %q, "model_name": %q, "model_version": "v1", "metrics": {"age": %d}, "categories": {"country": %q}}`+"\n",
						time.Now().UTC().Format(time.RFC3339Nano), c.model, from+i, country)
				}
				mustStarter(t, queue, events.String(), "publish", "--file", "-")
			}
			judged := func(s monitor.Status) bool {
				for _, version := range s.Versions {
					for _, rule := range version.Rules {
						if rule.Verdict == monitor.Healthy {
							return true
						}
					}
				}
				return false
			}
			patience.Until(t, "a period is judged against the reference, and healthy", func() bool {
				publish(20, "DE")
				return judged(status(t, c.model))
			})
			assert.Zero(t, status(t, c.model).Retrainings.Requested)

			var found monitor.Status
			patience.Until(t, "the shift is found", func() bool {
				publish(220, "BR")
				found = status(t, c.model)
				return found.Retrainings.Requested == 1
			})
			for _, decision := range found.Decisions {
				if decision.Kind == policy.Triggered {
					assert.Contains(t, decision.Reason, c.reason)
					assert.Contains(t, decision.Reason, "against the first 400")
					assert.Greater(t, decision.Value.Or(0), decision.Threshold.Or(1))
				}
			}
		})
	}
}
