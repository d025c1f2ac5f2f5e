package policy_test

import (
	"testing"
	"time"

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

func TestOfAPeriodThatCannotBeReadNoRuleIsSaidToLackIt(t *testing.T) {
	for text, want := range map[string]string{
		windowed(`"period": "1d", "offset": "96h", "grace": "1h", "datapoints": {"breaching": 2, "of": 3}`): `rules[0].period: must be a duration such as "90s" or "1h30m", got "1d"; a day is "24h", a week "168h"`,
		windowed(`"period": "soon"`): `rules[0].period: must be a duration such as "90s" or "1h30m", got "soon"`,
		windowed(`"period": 60`):     `rules[0].period: must be a duration such as "90s" or "1h30m", got 60`,
		windowed(`"period": [1]`):    `rules[0].period: must be a duration such as "90s" or "1h30m", got [1]`,
		rules(`{"metric": "m", "below": 1, "stat": "avg", "period": "1 h"}`): `rules[0].period: must be a duration such as "90s" or "1h30m", got "1 h"
rules[0].stat: must be min, max, mean, sum, count, or a percentile from p0.1 to p99.9, got "avg"`,
	} {
		_, err := policy.Decode([]byte(text))
		require.EqualError(t, err, want, text)
	}
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

func TestNewReadingsAreOfAMetricAndNeedNothingElse(t *testing.T) {
	refuses(t, map[string]string{
		rules(`{"name": "r", "new_readings": 5}`):                    `rules[0].metric: `,
		rules(`{"metric": "m", "new_readings": -5}`):                 `rules[0].new_readings: must be 1 to 1000000000000, got -5`,
		rules(`{"metric": "m", "new_readings": 5, "stat": "mean"}`):  `rules[0].stat: has no place beside new_readings, which counts readings since the last success`,
		rules(`{"metric": "m", "new_readings": 5, "max_age": "1h"}`): `rules[0]: must have exactly one of`,
	})
	p, err := policy.Decode([]byte(rules(`{"metric": "m", "new_readings": 5}`)))
	require.NoError(t, err)
	assert.Equal(t, policy.FormReadings, p.Rules[0].Form())
	assert.False(t, p.Rules[0].IsInstant())
}

func scheduled(schedule, zone string) string {
	return rules(`{"name": "r", "schedule": "` + schedule + `", "zone": "` + zone + `"}`)
}

func TestAScheduleIsDueOnceAnHourAtMostAndSomeDay(t *testing.T) {
	const five = `rules[0].schedule: must be minute, hour, day of month, month and weekday, such as "0 3 * * MON", got `
	refuses(t, map[string]string{
		scheduled("0 3 * *", ""):                                         five + `"0 3 * *"`,
		scheduled("0 0 3 * * *", ""):                                     five,
		scheduled("0 25 * * *", ""):                                      five,
		scheduled("@weekly", ""):                                         five,
		scheduled("@every 1h", ""):                                       five,
		scheduled("TZ=Asia/Tokyo 0 3 * * *", ""):                         five,
		scheduled("TZ=", ""):                                             five,
		scheduled("CRON_TZ=UTC 0 3 * * *", ""):                           five,
		scheduled("0  3 * * *"+hundred, ""):                              five,
		scheduled("* 3 * * *", ""):                                       `rules[0].schedule: must name one minute, so that it is due once an hour at most, got "* 3 * * *"`,
		scheduled("0,30 3 * * *", ""):                                    `rules[0].schedule: must name one minute`,
		scheduled("0 3 30 FEB *", ""):                                    `rules[0].schedule: names a day that never comes, got "0 3 30 FEB *"`,
		scheduled("0 3 * * *", "Europe/Nowhere"):                         `rules[0].zone: must be a zone of the IANA time zone database`,
		rules(`{"name": "r", "schedule": "0 3 * * *", "period": "24h"}`): `rules[0].period: has no place beside schedule, which measures no metric`,
		rules(`{"schedule": "0 3 * * *"}`):                               `rules[0].name: `,
	})
}

const hundred = "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"

func TestASchedulesInstantsAreThoseOfClocksInItsZone(t *testing.T) {
	for _, c := range []struct {
		schedule, zone, from string
		due                  []string
	}{
		{"0 3 * * MON", "Europe/Berlin", "2026-03-22T00:00:00Z", []string{"2026-03-23T02:00:00Z", "2026-03-30T01:00:00Z"}},                          // summer time between
		{"0 3 * * MON", "", "2026-03-23T03:00:00Z", []string{"2026-03-23T03:00:00Z", "2026-03-30T03:00:00Z"}},                                       // that it begins with, too
		{"30 2 * * SUN", "Europe/Berlin", "2026-03-22T00:00:00Z", []string{"2026-03-22T01:30:00Z"}},                                                 // 02:30 is jumped over on the 29th
		{"30 2 * * SUN", "Europe/Berlin", "2026-10-20T00:00:00Z", []string{"2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-11-01T01:30:00Z"}}, // the clock shows it twice on the 25th
		{"0 0 29 2 *", "", "2026-01-01T00:00:00Z", nil},
	} {
		var p policy.Policy
		require.NoError(t, p.UnmarshalJSON([]byte(scheduled(c.schedule, c.zone))))
		require.True(t, p.NeedsCalendar())
		from := instant(t, c.from)
		calendar, err := p.Calendar(from, from.Add(14*24*time.Hour))
		require.NoError(t, err)
		var due []string
		for _, at := range calendar.Due["r"] {
			due = append(due, time.Unix(at, 0).UTC().Format(time.RFC3339))
		}
		assert.Equal(t, c.due, due, "%s in %s", c.schedule, c.zone)
	}
}

func TestAChannelIsToldOfRulesThatThereAre(t *testing.T) {
	channel := func(fields string) string { return `{"notify": [{"channel": "pager", ` + fields + `}]}` }
	refuses(t, map[string]string{
		channel(`"rules": []`):                                         `notify[0].rules: must not be empty; leave the field out for all`,
		channel(`"rules": ["accuracy", "slow"]`):                       `notify[0].rules[1]: names rule "slow", which is not in this policy`,
		channel(`"rules": ["latency"], "kinds": ["failed", "paused"]`): `notify[0].kinds[1]: paused is of no rule, so it has no place beside rules`,
	})
	_, err := policy.Decode([]byte(channel(`"rules": ["latency"]`)))
	require.NoError(t, err)
}

func TestADetectorTakesWhatIsItsOwn(t *testing.T) {
	change := func(fields string) string {
		return rules(`{"name": "r", "metric": "m", "stat": "mean", "period": "1h", "change": {` + fields + `}}`)
	}
	refuses(t, map[string]string{
		change(`"detector": "kswin"`):                  `rules[0].change.detector: must be adwin or cusum, got "kswin"`,
		change(`"detector": "cusum", "delta": 0.01`):   `rules[0].change.delta: is adwin's, and has no place beside detector cusum; say slack and decision`,
		change(`"slack": 0.5`):                         `rules[0].change.slack: has its place only beside detector cusum`,
		change(`"detector": "adwin", "decision": 5`):   `rules[0].change.decision: has its place only beside detector cusum`,
		change(`"samples": 50`):                        `rules[0].change.samples: has its place only beside detector cusum`,
		change(`"detector": "cusum", "slack": -0.5`):   `rules[0].change.slack: must be above 0 and at most 10 standard deviations, got -0.5`,
		change(`"detector": "cusum", "decision": 1e4`): `rules[0].change.decision: must be above 0 and at most 1000 standard deviations, got 10000`,
		change(`"detector": "cusum", "samples": 1`):    `rules[0].change.samples: must be 2 to 10000 datapoints, got 1`,
	})
	p, err := policy.Decode([]byte(change(`"detector": "cusum"`)))
	require.NoError(t, err)
	c := p.Rules[0].Change.WithDefaults()
	assert.Equal(t, []float64{0, 0.5, 5, 50}, []float64{c.Delta, c.Slack, c.Decision, float64(c.Samples)})
}

func longName(i int) string {
	name := make([]byte, 100)
	for j := range name {
		name[j] = byte('a' + i/26*(j%2) + i%26*(1-j%2))
	}
	return string(name)
}

func instant(t *testing.T, text string) time.Time {
	at, err := time.Parse(time.RFC3339, text)
	require.NoError(t, err)
	return at
}
