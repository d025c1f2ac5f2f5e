package difference_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/policy"
	"github.com/modelvigil/modelvigil/starter/difference"
)

func TestChangesAreNamedFieldByField(t *testing.T) {
	before := []byte(`{"rules": [{"name": "accuracy", "metric": "accuracy", "below": 0.9}, {"name": "latency", "metric": "latency_ms", "above": 200}],
		"cooldown": "1h", "retraining": {"timeout": "24h", "backend": "log"}}`)
	after := policy.Policy{Rules: []policy.Rule{
		policy.Above("latency_ms", 250), policy.Below("accuracy", 0.9), policy.Below("auc", 0.7),
	}}.WithCooldown(2 * time.Hour)
	found, err := difference.Of(before, after)
	require.NoError(t, err)
	var lines []string
	for _, c := range found {
		lines = append(lines, c.String())
	}
	require.Equal(t, []string{
		`cooldown: "1h" → "2h"`,
		`retraining.backend: "log" is dropped`,
		`rule auc: below: 0.7 is added`,
		`rule auc: metric: "auc" is added`,
		`rule latency: above: 200 → 250`,
		`order of rules: ["accuracy","latency"] → ["latency","accuracy"]`,
	}, lines)
	found, err = difference.Of(before, policy.Policy{Rules: []policy.Rule{policy.Below("accuracy", 0.9), policy.Above("latency_ms", 200)}, Retraining: policy.Retraining{Backend: "log"}})
	require.NoError(t, err)
	require.Empty(t, found)
}
