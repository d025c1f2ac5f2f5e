package workflows_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
	"github.com/modelvigil/modelvigil/workflows"
)

// A server refuses the task whose command has a fairness key of more than 64 bytes, at
// each attempt: the monitor of such a team would be stuck at its first breach.
func TestATeamOfAnyNameHasItsOwnTurnInTheQueue(t *testing.T) {
	const most = metric.MaxNameBytes
	teams := []string{"", "a", strings.Repeat("t", 64), strings.Repeat("t", 65), strings.Repeat("t", 66), strings.Repeat("t", most), strings.Repeat("ü", most/2)}
	teamOf := map[string]string{} // by its key
	for _, team := range teams {
		require.NoError(t, policy.Policy{Team: team}.Validate())
		key := workflows.PriorityOf(team, 2).FairnessKey
		assert.LessOrEqual(t, len(key), 64)
		if len(team) <= 64 {
			assert.Equal(t, team, key, "what fits is told as it is")
		}
		assert.NotContains(t, teamOf, key, "%s has the key of another team", team)
		teamOf[key] = team
	}
}
