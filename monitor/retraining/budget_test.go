package retraining

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/policy"
)

var monday = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

func TestInstantsAreTheSameReadBack(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 21))
	for _, longest := range []time.Duration{time.Nanosecond, time.Hour, policy.MaxBudgetPer} {
		all := instants{}
		at := monday.Add(-60 * 365 * 24 * time.Hour)
		for range policy.MaxBudget + 10 {
			at = at.Add(time.Duration(random.Int64N(int64(longest) + 1)))
			all = all.with(at)
		}
		packed, err := json.Marshal(all)
		require.NoError(t, err)
		assert.LessOrEqual(t, len(packed), 2+18*policy.MaxBudget)
		var back instants
		require.NoError(t, json.Unmarshal(packed, &back))
		assert.Equal(t, all, back)
	}
}

func TestInstantsThatAreCutOffAreRefused(t *testing.T) {
	for _, text := range []string{`7`, `"%"`, `"gA"`, `"Ag"`, `"AgE"`} {
		var back instants
		require.Error(t, json.Unmarshal([]byte(text), &back), text)
	}
}

func TestAsManyInstantsAreKeptAsABudgetMayHaveToKnow(t *testing.T) {
	all := instants{}
	for i := range policy.MaxBudget + 5 {
		all = all.with(monday.Add(time.Duration(i) * time.Hour))
	}
	assert.Len(t, all, policy.MaxBudget)
	assert.Equal(t, monday.Add(5*time.Hour), all[0])
	all = all.with(all[len(all)-1].Add(policy.MaxBudgetPer - 1))
	assert.Len(t, all, 2, "what is older can't be within any budget's time")
}

func TestTheNthLastOfTwoLists(t *testing.T) {
	at := func(hours ...int) (all instants) {
		for _, hour := range hours {
			all = append(all, monday.Add(time.Duration(hour)*time.Hour))
		}
		return all
	}
	for n, hour := range []int{9, 7, 7, 4, 2, 1} {
		found, ok := nthLast(n+1, at(1, 4, 7), at(2, 7, 9))
		assert.True(t, ok)
		assert.Equal(t, at(hour)[0], found)
	}
	_, ok := nthLast(7, at(1, 4, 7), at(2, 7, 9))
	assert.False(t, ok)
}
