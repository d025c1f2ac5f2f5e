package fleet_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/monitor/fleet"
	"github.com/modelvigil/modelvigil/policy"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestAFreezeCoversWhatItSays(t *testing.T) {
	tests := map[string]struct {
		freeze      fleet.Freeze
		model, team string
		covers      bool
	}{
		"all":                         {fleet.Freeze{}, "fraud", "", true},
		"its team":                    {fleet.Freeze{Teams: []string{"payments"}}, "fraud", "payments", true},
		"another team":                {fleet.Freeze{Teams: []string{"payments"}}, "fraud", "search", false},
		"no team":                     {fleet.Freeze{Teams: []string{"payments"}}, "fraud", "", false},
		"a pattern that fits":         {fleet.Freeze{Models: []string{"fraud-*"}}, "fraud-eu", "", true},
		"a pattern that doesn't":      {fleet.Freeze{Models: []string{"fraud-*"}}, "churn", "", false},
		"a team, or else the pattern": {fleet.Freeze{Teams: []string{"search"}, Models: []string{"fraud-*"}}, "fraud-eu", "payments", true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { assert.Equal(t, test.covers, test.freeze.Covers(test.model, test.team)) })
	}
	require.ErrorContains(t, (&fleet.Freeze{Models: []string{"[", "a"}}).Validate(), `models[0]: must be a pattern such as fraud-*, got "["`)
}

func TestFreezesAreLiftedByTheirScope(t *testing.T) {
	var f fleet.Fleet
	all, payments := fleet.Freeze{}, fleet.Freeze{Teams: []string{"payments"}}
	require.NoError(t, f.Add(noon, all))
	require.NoError(t, f.Add(noon, payments))
	require.NoError(t, f.Add(noon.Add(time.Hour), fleet.Freeze{Teams: []string{"payments"}, By: "ada", Reason: "bad labels"}))
	require.Len(t, f.Freezes, 2, "one of the same scope is replaced")
	assert.Equal(t, 1, f.Lift(noon, payments))
	assert.NotNil(t, fleet.Frozen(f.Freezes, "fraud", "payments"), "all are frozen still")
	require.NoError(t, f.Add(noon, payments))
	assert.Equal(t, 2, f.Lift(noon, fleet.Freeze{}), "all ends all")
	assert.Nil(t, fleet.Frozen(f.Freezes, "fraud", "payments"))
}

func TestTheBrakeHoldsTheFleetWhenTooManyAskAtOnce(t *testing.T) {
	brake := fleet.Brake{Share: 0.2, Within: policy.Duration(10 * time.Minute), Monitors: 100}
	var f fleet.Fleet
	ask := func(minute, model int) *fleet.Freeze {
		text, err := json.Marshal(f) // as through continue-as-new
		require.NoError(t, err)
		f = fleet.Fleet{}
		require.NoError(t, json.Unmarshal(text, &f))
		return f.Permit(noon.Add(time.Duration(minute)*time.Minute), fmt.Sprint("model-", model), "", brake)
	}
	for i := range 60 { // 20 in any 10 minutes, the same ones again and again
		require.Nil(t, ask(i, i%20))
	}
	for i := range 20 {
		require.Nil(t, ask(100, i), "a fifth is allowed")
	}
	require.Nil(t, ask(101, 7), "a model that asks again is the same model")
	held := ask(102, 20)
	require.NotNil(t, held)
	assert.Equal(t, "21 of 100 models asked for a retraining within 10m, more than 20 %", held.Reason)
	assert.Equal(t, fleet.BrakeName, held.By)
	assert.NotNil(t, ask(1000, 1), "until somebody lifts it")
	f.Lift(noon, fleet.Freeze{})
	assert.Nil(t, ask(1001, 1))

	brake.Monitors = 5
	f = fleet.Fleet{}
	for i := range 5 {
		assert.Nil(t, ask(i, i), "so few are no fleet")
	}
}

func TestFreezesAreBounded(t *testing.T) {
	many := make([]string, 101)
	for i := range many {
		many[i] = fmt.Sprint("team-", i)
	}
	require.EqualError(t, (&fleet.Freeze{Teams: many}).Validate(), "teams: must be at most 100, got 101")
	require.EqualError(t, (&fleet.Freeze{Models: many}).Validate(), "models: must be at most 100 patterns, got 101")
	require.EqualError(t, (&fleet.Freeze{Models: []string{strings.Repeat("*", 201)}}).Validate(), "models[0]: must be at most 200 bytes, got 201")

	var f fleet.Fleet
	refused := 0
	for i := range 100 {
		wide := fleet.Freeze{Models: slices.Clone(many[:100])}
		for j := range wide.Models {
			wide.Models[j] = fmt.Sprint(strings.Repeat("x", 190), i, "-", j)
		}
		require.NoError(t, wide.Validate())
		if err := f.Add(noon, wide); err != nil {
			require.ErrorContains(t, err, "lift some, or use patterns that fit more")
			refused++
		}
		f.Address("fleet", []string{"chat", "pager"})
	}
	text, err := json.Marshal(f)
	require.NoError(t, err)
	assert.Less(t, len(text), 512<<10, "handed on by continue-as-new")
	assert.Positive(t, refused)
	frozen := len(f.Freezes)
	require.Error(t, f.Add(noon, fleet.Freeze{Models: append(slices.Clone(f.Freezes[0].Models[:99]), strings.Repeat("y", 200))}))
	assert.Len(t, f.Freezes, frozen, "one that is refused changes nothing")
}
