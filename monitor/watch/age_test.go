package watch_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/metric/table"
	"github.com/modelvigil/modelvigil/monitor/journal"
	"github.com/modelvigil/modelvigil/monitor/observation"
	"github.com/modelvigil/modelvigil/monitor/verdict"
	"github.com/modelvigil/modelvigil/monitor/watch"
	"github.com/modelvigil/modelvigil/policy"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func watchOf(wanted *policy.Policy) *watch.Watch {
	w := &watch.Watch{}
	onJudged := (func(*watch.Judgement))(nil)
	w.Open(&watch.Seen{}, wanted, nil, &journal.Counters{}, &onJudged)
	return w
}

// hear lets the watch hear an event of a version.
func hear(w *watch.Watch, now time.Time, version string) {
	var row table.Row
	row.OfEvent(&metric.Event{Timestamp: now, ModelName: "fraud", ModelVersion: version, Accuracy: metric.Some(0.95)})
	o := &observation.Observation{}
	o.OfRow(&row, now)
	w.Hear(now, now, o)
}

func aged(t *rapid.T) policy.Policy {
	limit := func(name string) metric.Optional[policy.Duration] {
		return metric.Some(policy.Duration(time.Duration(rapid.IntRange(1, 30).Draw(t, name)) * time.Minute))
	}
	return policy.Policy{Rules: []policy.Rule{{Name: "age", MaxAge: limit("age")}, {Name: "silence", SilentFor: limit("silence")}, {Name: "longer silence", SilentFor: limit("longer silence")}}}.WithDefaults()
}

// Ages and silences are looked at when events come and when NextAge says. Between these
// instants time alone changes nothing that they say.
func TestAgesChangeByTimeAloneOnlyWhenTheNextIsDue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		wanted := aged(t)
		w := watchOf(&wanted)
		cooldown := watch.Cooldown{Length: time.Duration(wanted.Cooldown.Or(0))}
		passed := noon
		says := func(now time.Time) (all []verdict.Verdict) {
			for _, r := range w.Rules(w.Latest(), now) {
				all = append(all, r.Verdict)
			}
			return all
		}

		hear(w, noon, "v1")
		require.NotNil(t, w.Now(noon)) // from now on the version is tracked
		w.Now(noon).JudgeAges(cooldown, false)
		w.CheckSilence(noon)
		for now := noon.Add(time.Minute); now.Before(noon.Add(2 * time.Hour)); now = now.Add(time.Minute) {
			next, ok := w.NextAge(passed, cooldown)
			before := says(now.Add(-time.Minute))
			isDue := ok && !next.After(now)
			if !isDue {
				assert.Equal(t, before, says(now), "at %s, when the next was due at %s", now, next)
			}

			isHeard := rapid.IntRange(0, 9).Draw(t, "event") == 0
			if isHeard {
				hear(w, now, rapid.SampledFrom([]string{"v1", "v2"}).Draw(t, "version"))
			}
			if isDue || isHeard {
				w.Now(now).JudgeAges(cooldown, false)
				w.CheckSilence(now)
				passed = now
			}
		}
	})
}

// A silence is over with the next event, and another one begins with it; an age goes on.
func TestAnEventEndsASilenceAndNoAge(t *testing.T) {
	wanted := policy.Policy{Rules: []policy.Rule{
		{Name: "age", MaxAge: metric.Some(policy.Duration(10 * time.Minute))},
		{Name: "silence", SilentFor: metric.Some(policy.Duration(10 * time.Minute))},
	}}.WithDefaults()
	w := watchOf(&wanted)
	hear(w, noon, "v1")
	late := noon.Add(10 * time.Minute)
	speaks := func(at time.Time) (age, silence bool) {
		moment := w.Now(at)
		moment.JudgeAges(watch.Cooldown{Length: time.Hour}, true)
		return moment.Findings[0].Speaks(), moment.Findings[1].Speaks()
	}

	age, silence := speaks(late.Add(-1))
	assert.Equal(t, []bool{false, false}, []bool{age, silence}, "not a moment too soon")
	age, silence = speaks(late)
	assert.Equal(t, []bool{true, true}, []bool{age, silence})
	w.Now(late).NoteActed()

	hear(w, late.Add(time.Minute), "v1")
	age, silence = speaks(late.Add(11 * time.Minute))
	assert.Equal(t, []bool{false, true}, []bool{age, silence}, "another silence is news, though nobody looked in between")
}
