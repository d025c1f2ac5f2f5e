package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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

			publish := func(from int, country string) { publishAges(t, c.model, "v1", from, country) }
			patience.Until(t, "a period is judged against the reference, and healthy", func() bool {
				publish(20, "DE")
				return isHealthy(status(t, c.model), "v1")
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

// publishAges publishes a hundred events, whose ages go up by one from where they begin.
func publishAges(t *testing.T, model, version string, from int, country string) {
	t.Helper()
	var events strings.Builder
	for i := range 100 {
		fmt.Fprintf(&events, `{"timestamp": %q, "model_name": %q, "model_version": %q, "metrics": {"age": %d}, "categories": {"country": %q}}`+"\n",
			time.Now().UTC().Format(time.RFC3339Nano), model, version, from+i, country)
	}
	mustStarter(t, model, events.String(), "publish", "--file", "-")
}

// isHealthy says that some rule has found a version healthy.
func isHealthy(s monitor.Status, version string) bool {
	return slices.ContainsFunc(s.Versions[version].Rules, func(r monitor.RuleStatus) bool { return r.Verdict == monitor.Healthy })
}

// What a monitor has learnt of one version is written as a profile, which a policy holds
// the next one against: it is healthy while it sees the same, and found once it does not.
func TestWhatAMonitorHasLearntHoldsTheNextVersion(t *testing.T) {
	t.Parallel()
	const model = "profile-from-model"
	startWorker(t, model, "MODELOPS_BACKEND=log")
	folder := t.TempDir()
	profile := filepath.Join(folder, "v1.profile.json")
	refused := func(reason string) {
		_, stderr, code := starter(t, model, "", "profile", "--from-model", model, "-o", profile)
		assert.Equal(t, 1, code)
		assert.Contains(t, stderr, reason)
		assert.NoFileExists(t, profile)
	}

	refused("no monitor")
	mustStarter(t, model, "model_name: "+model+"\nrules: [{name: accuracy, metric: accuracy, below: 0.9}]\n", "apply", "-")
	refused("no rule of its policy learns a distribution")
	mustStarter(t, model, "model_name: "+model+`
rules:
  - {name: inputs, metrics: [age], categories: [country], period: 1h, above: 1, drift: {statistic: js, reference: {from: first, samples: 400}}}
`, "apply", "-")
	refused("no event has come yet that a drift rule learns from")
	publishAges(t, model, "v1", 20, "DE")
	refused(`nothing is learnt of version "v1" yet: rule inputs has 100 of 400 readings of age`)
	for range 3 {
		publishAges(t, model, "v1", 20, "DE")
	}
	_, stderr, code := starter(t, model, "", "profile", "--from-model", model, "-o", profile)
	require.Zero(t, code, stderr)
	assert.Contains(t, stderr, `2 distributions of version "v1"`)

	document := filepath.Join(folder, "next.yaml")
	require.NoError(t, os.WriteFile(document, []byte("model_name: "+model+`
rules:
  - {name: inputs, metrics: [age], categories: [country], period: 2s, above: 0.5, drift: {statistic: js, reference: {from: profile, profile: v1.profile.json}}}
`), 0o600))
	mustStarter(t, model, "", "validate", document)
	mustStarter(t, model, "", "apply", document)
	patience.Until(t, "the next version is held against it, and healthy", func() bool {
		publishAges(t, model, "v2", 20, "DE")
		return isHealthy(status(t, model), "v2")
	})
	assert.Zero(t, status(t, model).Retrainings.Requested)
	patience.Until(t, "the shift is found", func() bool {
		publishAges(t, model, "v2", 220, "BR")
		return status(t, model).Retrainings.Requested == 1
	})
}
