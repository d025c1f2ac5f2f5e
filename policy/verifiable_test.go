package policy_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/policy"
)

func TestACooldownThatSuppressesEveryOtherDatapointIsWarnedOf(t *testing.T) {
	weekly := func(fields string) string {
		return `{"rules": [{"name": "w", "metric": "m", "stat": "mean", "below": 1, "period": "168h"}], ` + fields + `}`
	}
	const forGood = `rule "w": the datapoint after one that triggers is suppressed for good, since `
	for wire, warning := range map[string]string{
		weekly(`"cooldown": "168h"`): forGood + "the cooldown, 168h, may end after it, 168h later; let them be shorter than a period",
		weekly(`"cooldown": "167h"`): "",
		weekly(`"cooldown": "336h"`): "", // it says so itself
		weekly(`"cooldown": "120h", "approval": {"required": true, "timeout": "72h"}`):                                        forGood + "approval.timeout and cooldown together, 192h, may end after it",
		weekly(`"cooldown": "90h", "approval": {"required": true, "timeout": "72h"}`):                                         "",
		weekly(`"cooldown": "144h", "approval": {"required": true}`):                                                          forGood + "approval.timeout and cooldown together, 168h", // a day by default
		rules(`{"metric": "m", "stat": "mean", "below": 1, "period": "1h"}`):                                                  "",                                                       // the next is soon
		rules(`{"metric": "m", "below": 1}`):                                                                                  "",
		`{"cooldown": "24h", "rules": [{"metric": "m", "stat": "mean", "below": 1, "period": "24h", "severity": "warning"}]}`: "",
	} {
		p, err := policy.Decode([]byte(wire))
		require.NoError(t, err, wire)
		if warning == "" {
			assert.Empty(t, p.Warnings(), wire)
			continue
		}
		require.Len(t, p.Warnings(), 1, wire)
		assert.Contains(t, p.Warnings()[0], warning)
	}
}
