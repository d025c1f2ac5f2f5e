package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/policy"
)

func TestAPolicyInForceIsKnownWhateverIsLeftOut(t *testing.T) {
	inForce := earlier{policy: []byte(`{
		"rules": [{"name": "accuracy", "metric": "accuracy", "below": 0.9}, {"name": "latency", "metric": "latency_ms", "above": 200},
		          {"name": "drift", "metric": "drift_score", "above": 0.1}],
		"cooldown": "1h", "retraining": {"timeout": "24h"}}`)}
	require.True(t, inForce.hasPolicy(policy.Policy{}))
	require.False(t, inForce.hasPolicy(policy.Policy{}.WithCooldown(time.Minute)))
}
