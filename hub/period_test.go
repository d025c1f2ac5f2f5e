package hub

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// over is a rule over periods; it never breaches.
func over(name string, period time.Duration, basis policy.TimeBasis, grace ...time.Duration) policy.Rule {
	r := policy.Below(metric.Accuracy, 0.1)
	r.Name, r.Stat, r.Period, r.Time = name, policy.StatMean, metric.Some(policy.Duration(period)), basis
	for _, g := range grace {
		r.Grace = metric.Some(policy.Duration(g))
	}
	return r
}

func ruled(rules ...policy.Rule) *fakeCarrier { return under(policy.Policy{Rules: rules}) }

// under is a server with a monitor that goes by a policy.
func under(p policy.Policy) *fakeCarrier {
	c := newFakeCarrier()
	m := monitor.NewMachine("fraud", "model-monitor/fraud/run", p)
	if wanted, ok := m.CalendarWanted(time.Now()); ok {
		computed, err := m.Clocks().Calendar(wanted.From, wanted.Until)
		m.SetCalendar(time.Now(), wanted, computed, err)
	}
	c.machines["fraud"] = m
	return c
}

// learnt is a hub that knows the rules; what it has delivered until then may
// cross their periods.
func learnt(t *testing.T, c carrier, sent *fakeCarrier) *Hub {
	t.Helper()
	h := newHub(c, quiet)
	require.NoError(t, h.PublishDurable(t.Context(), healthy("fraud")))
	time.Sleep(time.Second)
	synctest.Wait()
	sent.mu.Lock()
	sent.sent = nil
	sent.mu.Unlock()
	return h
}

func digestsOf(c *fakeCarrier) (digests []*metric.Digest) {
	for _, d := range c.deliveries() {
		digests = append(digests, d.batch.Digests...)
	}
	return digests
}

func TestNoDigestCrossesAPeriodAndEachHoldsWhatABruteForceCountSays(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			moved := over("c", time.Minute, "")
			moved.Offset = metric.Some(policy.Duration(20 * time.Second))
			c := ruled(over("a", time.Minute, policy.TimeOfEvent), over("b", 90*time.Second, ""), moved, policy.Below(metric.Accuracy, 0.5))
			h := learnt(t, c, c)
			type slot struct {
				version string
				minute  int64
			}
			want, got := map[slot]int64{}, map[slot]int64{}
			for range 500 {
				event := healthy("fraud")
				event.ModelVersion = fmt.Sprint("v", random.IntN(2))
				event.Timestamp = time.Now().Add(-time.Duration(random.Int64N(int64(5 * time.Minute))))
				want[slot{event.ModelVersion, event.Timestamp.Unix() / 60}]++
				require.NoError(t, h.Publish(t.Context(), event))
				time.Sleep(time.Duration(random.Int64N(int64(time.Second))))
			}
			closeHub(t, h)
			for _, d := range digestsOf(c) {
				for _, period := range []int64{60, 90} {
					require.Equal(t, d.First.Unix()/period, d.Last.Unix()/period, "period %d s, %s to %s", period, d.First, d.Last)
				}
				require.Equal(t, (d.First.Unix()-20)/60, (d.Last.Unix()-20)/60, "from 20 s, %s to %s", d.First, d.Last)
				got[slot{d.ModelVersion, d.Last.Unix() / 60}] += d.Events
			}
			require.Equal(t, want, got)
		})
	}
}

// Hubs cut at midnights where the monitor does, by the clocks that it tells them of.
func TestDigestsAreCutAtTheMidnightsOfARulesZone(t *testing.T) {
	for _, name := range []string{"UTC", "Europe/Berlin", "America/Los_Angeles", "Africa/Casablanca", "Australia/Lord_Howe"} {
		zone, err := time.LoadLocation(name)
		require.NoError(t, err)
		daily := over("a", 24*time.Hour, policy.TimeOfEvent)
		daily.Zone = name
		now := time.Now()
		p := newPeriods(under(policy.Policy{Rules: []policy.Rule{daily}}).machines["fraud"].Guidance(now))
		day := func(second int64) string { return time.Unix(second, 0).In(zone).Format(time.DateOnly) }
		for hour := range int64(2 * 365 * 24) {
			second := now.Unix() - hour*3600
			from, until := p.around(second)
			require.Equal(t, day(second), day(from), "of %s, %s", day(second), name)
			require.Equal(t, day(second), day(until-1), "of %s, %s", day(second), name)
			require.NotEqual(t, day(second), day(from-1), "of %s, %s", day(second), name)
			require.NotEqual(t, day(second), day(until), "of %s, %s", day(second), name)
		}
	}
}

func TestLateEventsLandInTheDigestsOfTheirOwnPeriods(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := ruled(over("a", time.Hour, policy.TimeOfEvent))
		h := learnt(t, c, c)
		now := time.Now()
		for hour := range 20 {
			for range hour + 1 {
				event := healthy("fraud")
				event.Timestamp = now.Add(-time.Duration(hour) * time.Hour)
				require.NoError(t, h.Publish(t.Context(), event))
			}
		}
		closeHub(t, h)
		digests := digestsOf(c)
		require.Len(t, digests, 20)
		for _, d := range digests {
			hour := int(now.Sub(d.Last) / time.Hour)
			assert.EqualValues(t, hour+1, d.Events)
			assert.Equal(t, hour > 0, d.Late)
		}
	})
}

// slowCarrier takes its time over each batch.
type slowCarrier struct {
	*fakeCarrier
	takes time.Duration
}

func (c *slowCarrier) send(ctx context.Context, batch *metric.Batch) (string, error) {
	time.Sleep(c.takes)
	return c.fakeCarrier.send(ctx, batch)
}

func TestArrivalBoundariesCutEvenWhileABatchIsUnderWay(t *testing.T) {
	for _, takes := range []time.Duration{0, 7 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			c := ruled(over("labels", 10*time.Second, policy.TimeOfArrival), over("more", 15*time.Second, policy.TimeOfArrival))
			h := learnt(t, &slowCarrier{c, takes}, c)
			want, got := map[int64]int64{}, map[int64]int64{}
			for range 1000 {
				event := healthy("fraud")
				event.Timestamp = time.Now().Add(-30 * time.Second) // says nothing
				want[time.Now().Unix()/10]++
				require.NoError(t, h.Publish(t.Context(), event))
				time.Sleep(250 * time.Millisecond) // some fall on the boundary itself
			}
			closeHub(t, h)
			for _, d := range digestsOf(c) {
				at := d.FoldedUntil
				if d.FoldedFrom.Before(at) {
					at = at.Add(-1)
				}
				for _, period := range []int64{10, 15} {
					assert.Equal(t, d.FoldedFrom.Unix()/period, at.Unix()/period, "%s to %s", d.FoldedFrom, d.FoldedUntil)
				}
				got[at.Unix()/10] += d.Events
			}
			assert.Equal(t, want, got)
		})
	}
}

func TestWhatComesAfterItsPeriodWasHandedOverIsThereWithinTheGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := under(policy.Policy{ReportEvery: metric.Some(policy.Duration(time.Hour)), Rules: []policy.Rule{over("a", 10*time.Minute, policy.TimeOfEvent)}})
		h := newHub(c, quiet)
		require.NoError(t, h.PublishDurable(t.Context(), healthy("fraud")))
		time.Sleep(time.Second)
		require.NoError(t, h.Publish(t.Context(), healthy("fraud")))
		end := time.Now().Truncate(10 * time.Minute).Add(10 * time.Minute)
		time.Sleep(time.Until(end.Add(15 * time.Second))) // half the grace: it has been handed over
		require.EqualValues(t, 2, c.status("fraud").Events)
		straggler := healthy("fraud")
		straggler.Timestamp = end.Add(-time.Second)
		for range 100 {
			require.NoError(t, h.Publish(t.Context(), straggler))
			time.Sleep(50 * time.Millisecond)
		}
		time.Sleep(time.Until(end.Add(30 * time.Second)))
		synctest.Wait()
		assert.EqualValues(t, 102, c.status("fraud").Events)
		assert.Len(t, c.deliveries(), 3)
		long := healthy("fraud") // what is too late waits its turn
		long.Timestamp = end.Add(-time.Hour)
		require.NoError(t, h.Publish(t.Context(), long))
		time.Sleep(time.Minute)
		assert.Len(t, c.deliveries(), 3)
		closeHub(t, h)
	})
}

func TestAYearOfTimestampsTakesBoundedMemoryAndLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := ruled(over("a", time.Minute, policy.TimeOfEvent), over("b", time.Minute, policy.TimeOfArrival))
		h := learnt(t, c, c)
		c.set(func(*metric.Batch) error { return serviceerror.NewUnavailable("away") }, nil)
		random := rand.New(rand.NewPCG(3, 4))
		p := h.models.Get("fraud")
		const events = 20_000
		for i := range events {
			event := healthy("fraud")
			event.Timestamp = time.Now().Add(-time.Duration(random.Int64N(int64(365 * 24 * time.Hour))))
			event.ModelVersion = fmt.Sprint("v", random.IntN(3))
			require.NoError(t, h.Publish(t.Context(), event))
			if i%100 == 99 {
				time.Sleep(time.Second)
				synctest.Wait()
				require.LessOrEqual(t, waiting(p), maxApart)
			}
			require.LessOrEqual(t, open(p), maxOpen+2*3)
		}
		require.LessOrEqual(t, waiting(p), maxWaiting+2*3*2, "those judged long ago are merged")
		c.set(nil, nil)
		closeHub(t, h)
		assert.EqualValues(t, events+1, c.status("fraud").Events)
	})
}

// waiting is how many digests wait for a batch.
func waiting(p *pipe) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.waiting)
}

// open is how many accumulators the fullest shard holds.
func open(p *pipe) (most int) {
	for i := range p.fold.shards {
		s := &p.fold.shards[i]
		s.mu.Lock()
		most = max(most, len(s.accumulators))
		s.mu.Unlock()
	}
	return most
}

func TestEverNewVersionsAreRefusedWhileTheServerIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := ruled(over("a", time.Second, policy.TimeOfArrival))
		h := learnt(t, c, c)
		c.set(func(*metric.Batch) error { return serviceerror.NewUnavailable("away") }, nil)
		taken := int64(0)
		for i := range 1000 { // each second is cut apart
			event := healthy("fraud")
			event.ModelVersion = fmt.Sprint("v", i)
			if h.Publish(t.Context(), event) == nil {
				taken++
			}
			time.Sleep(time.Second)
		}
		assert.LessOrEqual(t, taken, int64(maxVersions), "those of the batch under way are among them")
		require.NoError(t, h.Publish(t.Context(), healthy("fraud")), "a version that is known")
		c.set(nil, nil)
		closeHub(t, h)
		assert.Equal(t, taken+2, c.status("fraud").Events)
	})
}

func TestDigestsThatWaitAreMergedWhereItCostsLeast(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	minute := func(m int, until time.Time) *metric.Digest {
		at := now.Add(time.Duration(m) * time.Minute)
		return &metric.Digest{ModelVersion: "v1", Events: 1, First: at, Last: at, FoldedFrom: until.Add(-time.Second), FoldedUntil: until}
	}
	h := newHub(newFakeCarrier(), quiet)
	p := newPipe(h, h.own, "fraud")
	p.periods = newPeriods(contract.Guidance{Rules: []policy.Rule{over("a", time.Minute, "")}, CooldownUntil: now})
	after := now.Add(time.Second)
	for range 2 * maxWaiting { // one period, before and after the cooldown's end
		p.put(parcel{folded: folded{Digest: minute(0, now)}, cut: 1}, now)
		p.put(parcel{folded: folded{Digest: minute(0, after)}, cut: 2}, now)
	}
	require.Len(t, p.waiting, maxWaiting)
	for m := range maxApart {
		p.put(parcel{folded: folded{Digest: minute(m, after)}, cut: 3}, now)
	}
	require.Len(t, p.waiting, maxApart)
	p.put(parcel{folded: folded{Digest: minute(-60, after)}, cut: 4}, now)
	p.put(parcel{folded: folded{Digest: minute(-61, after)}, cut: 5}, now)
	require.Len(t, p.waiting, maxApart)
	total := int64(0)
	for _, w := range p.waiting {
		total += w.Events
		assert.False(t, w.FoldedFrom.Before(now) && w.FoldedUntil.After(now) && w.Events > 1 && w.FoldedFrom.Add(time.Second).Before(w.FoldedUntil),
			"crosses the cooldown's end: %+v", w.Digest)
	}
	assert.EqualValues(t, 4*maxWaiting+maxApart+2, total)
}
