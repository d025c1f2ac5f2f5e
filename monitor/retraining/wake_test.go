package retraining_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor/journal"
	"github.com/modelvigil/modelvigil/monitor/retraining"
	"github.com/modelvigil/modelvigil/monitor/watch"
	"github.com/modelvigil/modelvigil/policy"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func minutes(t *rapid.T, name string, least int) metric.Optional[policy.Duration] {
	return metric.Some(policy.Duration(time.Duration(rapid.IntRange(least, 20).Draw(t, name)) * time.Minute))
}

// A course is asked for its wakes after anything that happened to it. Between them time
// alone changes nothing that is seen of it: whoever sleeps until the next misses nothing.
func TestBetweenItsWakesTimeAloneChangesNothingOfACourse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		wanted := policy.Policy{Cooldown: minutes(t, "cooldown", 0), Retraining: policy.Retraining{Timeout: minutes(t, "timeout", 1)}}
		if rapid.Bool().Draw(t, "asks") {
			wanted.Approval = &policy.Approval{Required: true, Timeout: minutes(t, "approval", 1)}
		}
		wanted = wanted.WithDefaults()
		all := &retraining.Retrainings{}
		course := courseOf(all, &wanted)
		requestID := ""
		now := noon
		t.Repeat(map[string]func(*rapid.T){
			"a trigger": func(*rapid.T) {
				if all.Flight == nil && all.Pending == nil && !now.Before(course.CooldownUntil()) {
					requestID = course.Ask(now, modelops.Request{Rule: "accuracy", Reason: "decay"}, "")
				}
			},
			"a yes": func(*rapid.T) {
				if course.CanAnswer(true) == nil {
					requestID = course.Approve(now, retraining.Control{By: "ada"})
				}
			},
			"an outcome": func(t *rapid.T) {
				state := rapid.SampledFrom([]modelops.State{modelops.Succeeded, modelops.Failed}).Draw(t, "state")
				course.Outcome(now, modelops.Outcome{RequestID: requestID, State: state})
			},
			"a pause": func(*rapid.T) { course.PauseBy(now, retraining.Control{}) },
			"its end": func(*rapid.T) { course.ResumeBy(now, retraining.Control{}) },
			"time passes": func(t *rapid.T) {
				until := now.Add(time.Duration(rapid.IntRange(1, 30).Draw(t, "minutes")) * time.Minute)
				for now.Before(until) {
					wakes := wakesOf(course, now)
					phase := course.Phase(now)
					next := now.Add(time.Minute)
					isWoken := slices.ContainsFunc(wakes, func(at time.Time) bool { return at.After(now) && !at.After(next) })
					before := *all
					now = next
					course.AnswerDue(now)
					course.ExpireFlight(now)

					if !isWoken {
						assert.Equal(t, phase, course.Phase(now))
						assert.Equal(t, before, *all)
					}
				}
			},
			"": func(t *rapid.T) {
				assert.False(t, all.Flight != nil && all.Pending != nil, "what waits for an answer is not in flight")
			},
		})
	})
}

func courseOf(all *retraining.Retrainings, wanted *policy.Policy) *retraining.Course {
	entries := &journal.Entries{}
	book := &journal.Journal{}
	book.Open(entries, "fraud", "monitor/fraud/run", wanted)
	seen := &watch.Watch{}
	onJudged := (func(*watch.Judgement))(nil)
	seen.Open(&watch.Seen{}, wanted, nil, &entries.Counters, &onJudged)
	course := &retraining.Course{}
	course.Open(all, "fraud", "monitor/fraud/run", wanted, book, seen)
	return course
}

func wakesOf(course *retraining.Course, now time.Time) (all []time.Time) {
	course.Wakes(now, func(_ string, at time.Time) { all = append(all, at) })
	return all
}

// Each wake is for something: at it, and not before, what it is named for is over.
func TestEachWakeOfACourseIsWhenWhatItIsNamedForEnds(t *testing.T) {
	wanted := policy.Policy{
		Cooldown:   metric.Some(policy.Duration(time.Hour)),
		Retraining: policy.Retraining{Timeout: metric.Some(policy.Duration(30 * time.Minute))},
	}.WithDefaults()
	all := &retraining.Retrainings{}
	course := courseOf(all, &wanted)
	course.Ask(noon, modelops.Request{Rule: "accuracy"}, "")
	told := map[string]time.Time{}
	course.Wakes(noon, func(what string, at time.Time) { told[what] = at })
	assert.Equal(t, map[string]time.Time{
		retraining.WakeCooldown: noon.Add(time.Hour), retraining.WakeRetraining: noon.Add(30 * time.Minute),
	}, told)

	course.ExpireFlight(noon.Add(30*time.Minute - 1))
	assert.NotNil(t, all.Flight)
	course.ExpireFlight(noon.Add(30 * time.Minute))
	assert.Nil(t, all.Flight)
	assert.Equal(t, []time.Time{noon.Add(time.Hour)}, wakesOf(course, noon.Add(30*time.Minute)))
	assert.Empty(t, wakesOf(course, noon.Add(time.Hour)), "nothing comes by time alone any more")
}
