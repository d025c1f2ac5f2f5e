package policy_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/policy"
)

// Rules a and b are there for composites to name.
const members = `{"name": "a", "metric": "a", "below": 1}, {"name": "b", "metric": "b", "below": 1}`

// refuses asserts that each policy is refused in these words, which name the field.
func refuses(t *testing.T, policies map[string]string) {
	t.Helper()
	for wire, fault := range policies {
		_, err := policy.Decode([]byte(wire))
		assert.ErrorContains(t, err, fault, wire)
	}
}

func rules(rules string) string { return `{"rules": [` + rules + `]}` }

func TestACompositeOfSomeOfItsMembersNamesEachOnceAndNeedsNoMoreThanAll(t *testing.T) {
	refuses(t, map[string]string{
		rules(`{"name": "r", "of": ["a", "b"]}, ` + members):                                           `rules[0].at_least: must be 1 to 2, which of names, got 0`,
		rules(`{"name": "r", "at_least": 3, "of": ["a", "b"]}, ` + members):                            `rules[0].at_least: must be 1 to 2, which of names, got 3`,
		rules(`{"name": "r", "at_least": 1, "all_of": ["a", "b"]}, ` + members):                        `rules[0].at_least: has its place only beside of, which names the rules`,
		rules(`{"name": "r", "at_least": 2, "of": ["a", "a"]}, ` + members):                            `rules[0].of: names rule "a" twice`,
		rules(`{"name": "r", "at_least": 1, "of": ["c"]}, ` + members):                                 `rules[0].of: names rule "c", which is not in this policy`,
		rules(`{"name": "r", "at_least": 1, "of": []}`):                                                `rules[0].of: must name 1 to 64 rules, got 0`,
		rules(`{"name": "r", "at_least": 1, "of": ["a", "s"]}, {"name": "s", "not": "r"}, ` + members): `rules[1].not: a cycle: "r" leads back to itself`,
		rules(`{"name": "r", "metric": "m", "at_least": 1, "of": ["a"]}, ` + members):                  `rules[0].metric: has no place beside of, which measures no metric`,
	})
}

func TestAVerificationNeedsAsManyJudgedMembersAsMustBreach(t *testing.T) {
	late := `{"name": "late", "metric": "a", "stat": "mean", "below": 1, "period": "24h"}`
	for least, unverifiable := range map[string][]string{"1": {"late"}, "2": {"late", "some"}} {
		p, err := policy.Decode([]byte(`{"verify": {"within": "1h"}, "rules": [{"name": "a", "metric": "a", "below": 1}, ` + late + `,
			{"name": "some", "at_least": ` + least + `, "of": ["a", "late"]}]}`))
		require.NoError(t, err)
		assert.Equal(t, unverifiable, p.Unverifiable(), "at least %s", least)
	}
}

func TestThePolicyInTheStateIsPartOfWhatCompositesCost(t *testing.T) {
	many := make([]policy.Rule, policy.MaxRules)
	names := make([]string, 64)
	for i := range many {
		many[i] = policy.Below("a", 1)
		many[i].Name = longName(i)
		if i < len(names) {
			names[i] = many[i].Name
		} else {
			many[i] = policy.Rule{Name: many[i].Name, Of: names, AtLeast: 3}
		}
	}
	require.NoError(t, policy.Policy{Rules: many[:65]}.Validate(), "64 rules, and one of any three of them")
	require.ErrorContains(t, policy.Policy{Rules: many}.Validate(), "rules: what is kept of them may take")
}

func windowed(fields string) string {
	return rules(`{"name": "r", "metric": "m", "stat": "mean", "below": 1, ` + fields + `}`)
}

func TestAPeriodsOffsetIsLessThanThePeriodAndAZoneHasWholeDays(t *testing.T) {
	refuses(t, map[string]string{
		windowed(`"period": "1h", "offset": "1h"`):                    `rules[0].offset: must be 0s to less than the period, got 1h`,
		windowed(`"period": "1h", "offset": "-1s"`):                   `rules[0].offset: must be 0s to less than the period, got -1s`,
		windowed(`"period": "1h", "offset": "1500ms"`):                `rules[0].offset: must be whole seconds, got 1.5s`,
		windowed(`"period": "1h", "zone": "Europe/Berlin"`):           `rules[0].zone: has its place only beside a period of whole days, such as 24h or 168h, got 1h`,
		windowed(`"period": "24h", "zone": "Europe/Nowhere"`):         `rules[0].zone: must be a zone of the IANA time zone database such as Europe/Berlin, got "Europe/Nowhere"`,
		windowed(`"period": "24h", "zone": "Local"`):                  `rules[0].zone: must be a zone of the IANA time zone database such as Europe/Berlin, got "Local"`,
		rules(`{"metric": "m", "below": 1, "offset": "1h"}`):          `rules[0].offset: needs a period`,
		rules(`{"name": "r", "not": "a", "zone": "UTC"}, ` + members): `rules[0].zone: has no place beside not, which measures no metric`,
		rules(`{"name": "r", "max_age": "1h", "offset": "1h"}`):       `rules[0].offset: has no place beside max_age, which measures no metric`,
	})
}

func against(baseline string) string {
	return rules(`{"name": "r", "metric": "m", "stat": "mean", "period": "1h", "below_baseline_by": "3%", "baseline": ` + baseline + `}`)
}

func TestABaselineTakesWhatMakesIt(t *testing.T) {
	counted := func(baseline string) string {
		return rules(`{"name": "r", "metric": "m", "stat": "count", "period": "1h", "below_baseline_by": "50%"` + baseline + `}`)
	}
	refuses(t, map[string]string{
		against(`{"from": "last"}`):                                       `rules[0].baseline.from: must be first or previous or trailing or replaced, got "last"`,
		against(`{"from": "trailing"}`):                                   `rules[0].baseline.periods: must be 1 to 100, got 0`,
		against(`{"from": "trailing", "periods": 101}`):                   `rules[0].baseline.periods: must be 1 to 100, got 101`,
		against(`{"from": "trailing", "periods": 4, "samples": 10}`):      `rules[0].baseline.samples: has no place beside from trailing`,
		against(`{"from": "trailing", "periods": 4, "period": "1h"}`):     `rules[0].baseline.period: has no place beside from trailing`,
		against(`{"from": "trailing", "periods": 4, "season": "90m"}`):    `rules[0].baseline.season: must be two or more whole periods, and at most 8760h, got 1h30m`,
		against(`{"from": "trailing", "periods": 4, "season": "1h"}`):     `rules[0].baseline.season: must be two or more whole periods`,
		against(`{"from": "trailing", "periods": 4, "season": "8761h"}`):  `rules[0].baseline.season: must be two or more whole periods`,
		against(`{"from": "trailing", "periods": 100, "season": "744h"}`): `rules: what is kept of them may take 3`,
		against(`{"from": "replaced", "period": "1h"}`):                   `rules[0].baseline.period: has no place beside from replaced`,
		against(`{"from": "replaced", "samples": -1}`):                    `rules[0].baseline.samples: must be 1 to 1000000000000, got -1`,
		against(`{"periods": 4}`):                                         `rules[0].baseline.periods: has its place only beside from trailing`,
		against(`{"season": "168h"}`):                                     `rules[0].baseline.season: has its place only beside from trailing`,
		against(`{"period": "0s"}`):                                       `rules[0].baseline.period: must be 1s to 8760h, got 0s`,
		counted(``):                                                       `rules[0].stat: count grows with the readings, so its baseline is made of whole periods: say baseline: {from: trailing, periods: 4}`,
		counted(`, "baseline": {"period": "720h"}`):                       `rules[0].stat: count grows with the readings`,
	})
	for _, fine := range []string{
		against(`{"period": "720h"}`), against(`{"period": "720h", "samples": 100, "from": "previous"}`), against(`{"from": "replaced", "samples": 500}`),
		against(`{"from": "trailing", "periods": 4, "season": "168h"}`), counted(`, "baseline": {"from": "trailing", "periods": 4, "season": "168h"}`),
	} {
		_, err := policy.Decode([]byte(fine))
		assert.NoError(t, err, fine)
	}
}

// Only what another version has left is there when a new one is judged.
func TestAVerificationCanMeasureAgainstTheVersionThatWasReplaced(t *testing.T) {
	for from, isJudged := range map[string]bool{"replaced": true, "previous": true, "first": false, `trailing", "periods": 4, "season": "168h`: false} {
		p, err := policy.Decode([]byte(`{"verify": {"within": "6h"}, "rules": [{"metric": "a", "below": 1},
			{"name": "r", "metric": "m", "stat": "mean", "period": "1h", "below_baseline_by": 1, "baseline": {"from": "` + from + `"}}]}`))
		require.NoError(t, err)
		assert.Equal(t, !isJudged, len(p.Unverifiable()) == 1, from)
	}
}

func longName(i int) string {
	name := make([]byte, 100)
	for j := range name {
		name[j] = byte('a' + i/26*(j%2) + i%26*(1-j%2))
	}
	return string(name)
}
