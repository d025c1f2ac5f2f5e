package hub

import (
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

func every(d time.Duration) metric.Optional[policy.Duration] { return metric.Some(policy.Duration(d)) }

func silentFor(name string, d time.Duration) policy.Rule {
	return policy.Rule{Name: name, SilentFor: metric.Some(policy.Duration(d))}
}

// signalsIn is how many of a fleet's signals arrive in a span that begins when it knows
// its size and its policy.
func signalsIn(t *testing.T, carrier *fakeCarrier, publishers int, before, span time.Duration) (signals int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		hubs := make([]*Hub, publishers)
		for i := range hubs {
			hubs[i] = newHub(carrier, quiet)
		}
		pause := min(10*time.Second, span/3600)
		fleetAt(t, pause, carrier, hubs, before, healthy)
		signals = fleetAt(t, pause, carrier, hubs, span, healthy)
		for _, h := range hubs {
			closeHub(t, h)
		}
	})
	return signals
}

func TestAHealthyModelIsReportedOnAsOftenAsItsPolicySays(t *testing.T) {
	hourly := over("hourly", time.Hour, "")
	for name, c := range map[string]struct {
		policy       policy.Policy
		publishers   int
		before, span time.Duration
		want         int
	}{
		"once a minute where it says nothing":             {policy.Policy{}, 1, time.Minute, time.Hour, 60},
		"each interval":                                   {policy.Policy{ReportEvery: every(10 * time.Second)}, 1, time.Minute, time.Hour, 360},
		"twice in the shortest silence that a rule minds": {policy.Policy{Rules: []policy.Rule{silentFor("soon", 30*time.Second), silentFor("later", time.Hour)}}, 1, time.Minute, time.Hour, 240},
		"by each of five publishers":                      {policy.Policy{}, 5, time.Hour, time.Hour, 5 * 60},
		"by twenty publishers as often as by five":        {policy.Policy{}, 20, 2 * time.Hour, time.Hour, 5 * 60},
		"once in each period, where that is as long":      {policy.Policy{Rules: []policy.Rule{hourly}, ReportEvery: every(time.Hour)}, 1, 2 * time.Hour, 24 * time.Hour, 24},
		"once in each period, where it is seldom":         {policy.Policy{Rules: []policy.Rule{hourly}, ReportEvery: every(24 * time.Hour)}, 1, 25 * time.Hour, 24 * time.Hour, 24},
		"in each period by each of twenty publishers":     {policy.Policy{Rules: []policy.Rule{hourly}, ReportEvery: every(time.Hour)}, 20, 2 * time.Hour, 5 * time.Hour, 100},
	} {
		t.Run(name, func(t *testing.T) {
			assert.InDelta(t, c.want, signalsIn(t, under(c.policy), c.publishers, c.before, c.span), 0.021*float64(c.want)+1)
		})
	}
}

func TestAMonitorThatDoesNotTellItsIntervalIsReportedToAsItCountsItsPublishers(t *testing.T) {
	var g contract.Guidance
	require.NoError(t, json.Unmarshal([]byte(`{"phase": "watching", "rules": [], "publishers": 1}`), &g))
	assert.Equal(t, 10*time.Second, g.HealthyPace())
}

// questions counts the queries since an instant.
func (c *fakeCarrier) questions(since time.Time) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, at := range c.asked {
		if !at.Before(since) {
			n++
		}
	}
	return n
}

// change changes a monitor, which then hands on to another run.
func (c *fakeCarrier) change(change func(m *monitor.Machine)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(c.machine("fraud"))
	c.runs["fraud"] += "+"
}

func TestAHealthyModelIsAskedAboutSeldom(t *testing.T) {
	for name, publishers := range map[string]int{"one publisher": 1, "five publishers": 5, "twenty publishers": 20} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newFakeCarrier()
				hubs := make([]*Hub, publishers)
				for i := range hubs {
					hubs[i] = newHub(c, quiet)
				}
				fleetAt(t, 30*time.Second, c, hubs, 2*time.Hour, healthy)
				start := time.Now()
				fleetAt(t, 30*time.Second, c, hubs, 24*time.Hour, healthy)
				assert.LessOrEqual(t, c.questions(start), 300)
				for _, h := range hubs {
					closeHub(t, h)
				}
			})
		})
	}
}

func TestARunThatHandsOnIsAskedOnceAndItsPolicyHoldsFromTheNextDigestOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFakeCarrier()
		h := newHub(c, quiet)
		hubs := []*Hub{h}
		fleet(t, c, hubs, 3*time.Minute, healthy)
		start := time.Now()
		c.change(func(m *monitor.Machine) {
			m.SetPolicy(time.Now(), policy.Policy{ReportEvery: every(10 * time.Second)})
		})
		fleet(t, c, hubs, time.Minute+time.Second, healthy)
		assert.Equal(t, 1, c.questions(start))
		assert.InDelta(t, 6, fleet(t, c, hubs, time.Minute, healthy), 1)
		assert.Equal(t, 1, c.questions(start))
		closeHub(t, h)
	})
}

func TestABreachIsUrgentAgainSoonAfterAResumeAndHealthInAPauseAsksNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFakeCarrier()
		h := newHub(c, quiet)
		hubs := []*Hub{h}
		c.change(func(m *monitor.Machine) { m.PauseBy(time.Now(), monitor.Control{By: "ann"}) })
		require.NoError(t, h.PublishDurable(t.Context(), healthy("fraud")))
		time.Sleep(time.Second)
		start := time.Now()
		fleet(t, c, hubs, 4*time.Minute, healthy)
		assert.Zero(t, c.questions(start))

		start = time.Now()
		signals := fleet(t, c, hubs, 10*time.Minute, breaching)
		assert.InDelta(t, 10, signals, 2, "none is urgent")
		assert.InDelta(t, 15, c.questions(start), 2, "after 1, 2, 4, … s, and then once a minute")

		c.change(func(m *monitor.Machine) { m.ResumeBy(time.Now(), monitor.Control{By: "ann"}) })
		start = time.Now()
		for c.status("fraud").Retrainings.Requested == 0 {
			require.NoError(t, h.Publish(t.Context(), breaching("fraud")))
			time.Sleep(time.Second)
		}
		assert.LessOrEqual(t, time.Since(start), time.Minute+time.Second)
		closeHub(t, h)
	})
}

func TestABreachIsUrgentAtTheCooldownsEndAlthoughARetrainingWasUnderWayWhenAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := under(policy.Policy{}.WithCooldown(10 * time.Minute))
		c.follows = true
		h := newHub(c, quiet)
		require.NoError(t, h.PublishDurable(t.Context(), breaching("fraud")))
		cooldown := c.status("fraud").CooldownUntil
		fleet(t, c, []*Hub{h}, 8*time.Minute, breaching)
		require.Equal(t, contract.PhaseRetraining, c.status("fraud").Phase)
		c.mu.Lock()
		m := c.machine("fraud")
		m.Outcome(time.Now(), modelops.Outcome{RequestID: m.Wants(time.Now()).Await.RequestID, State: modelops.Failed})
		c.mu.Unlock()

		for c.status("fraud").Retrainings.Requested == 1 {
			require.NoError(t, h.Publish(t.Context(), breaching("fraud")))
			time.Sleep(100 * time.Millisecond)
		}
		assert.LessOrEqual(t, time.Since(cooldown), 2*time.Second)
		closeHub(t, h)
	})
}
