package hub

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// fleet publishes one event a second from each of n hubs for so long, and
// returns the signals that arrived in it.
func fleet(t *testing.T, carrier *fakeCarrier, hubs []*Hub, span time.Duration, event func(string) metric.Event) int {
	t.Helper()
	return fleetAt(t, time.Second, carrier, hubs, span, event)
}

// fleetAt is fleet with another time between two events of a hub.
func fleetAt(t *testing.T, pause time.Duration, carrier *fakeCarrier, hubs []*Hub, span time.Duration, event func(string) metric.Event) int {
	t.Helper()
	start := time.Now()
	for time.Since(start) < span {
		for _, h := range hubs {
			require.NoError(t, h.Publish(t.Context(), event("fraud")))
		}
		time.Sleep(pause)
	}
	signals := 0
	for _, d := range carrier.deliveries() {
		if !d.at.Before(start) && d.at.Before(start.Add(span)) {
			signals++
		}
	}
	return signals
}

// acquaint lets hubs publish a little until all know how many they are, and returns how
// many events that took.
func acquaint(t *testing.T, hubs []*Hub) (events int64) {
	t.Helper()
	for range 6 * 24 {
		for _, h := range hubs {
			require.NoError(t, h.Publish(t.Context(), healthy("fraud")))
			events++
		}
		time.Sleep(10 * time.Minute)
	}
	return events
}

// heardOf is how many publishers the monitor counts.
func heardOf(t *testing.T, carrier *fakeCarrier) int {
	t.Helper()
	guidance, err := carrier.ask(t.Context(), "fraud")
	require.NoError(t, err)
	return guidance.Publishers
}

func TestTheSignalsOfAFleetStayWithinWhatOneWorkflowTakes(t *testing.T) {
	for _, publishers := range []int{1, 100} {
		t.Run(fmt.Sprintf("%d publishers", publishers), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				carrier := newFakeCarrier()
				// Breaches that never lead to a cooldown: the longest storm there can be.
				carrier.machines["fraud"] = monitor.NewMachine("fraud", "model-monitor/fraud/run", policy.Policy{}.WithCooldown(0))
				hubs := make([]*Hub, publishers)
				for i := range hubs {
					hubs[i] = newHub(carrier, quiet)
				}
				known := acquaint(t, hubs)

				const span = 2 * time.Hour // six intervals of a hundred publishers
				signals := fleet(t, carrier, hubs, span, healthy)
				t.Logf("healthy: %.3f signals/s", float64(signals)/span.Seconds())
				const limit = 5.0 / 60 // of five publishers that each report once a minute
				assert.LessOrEqual(t, float64(signals)/span.Seconds(), limit)

				const half = 5 * time.Minute // away from where healthy digests of hubs that began together are due
				fleet(t, carrier, hubs, half, healthy)
				signals = fleet(t, carrier, hubs, time.Minute, breaching)
				t.Logf("breaching: %.2f signals/s", float64(signals)/60)
				assert.LessOrEqual(t, float64(signals)/60, 5.0)

				total := int64(publishers*(2*3600+5*60+60)) + known
				for _, h := range hubs {
					closeHub(t, h)
				}
				assert.Equal(t, total, carrier.status("fraud").Events)
				assert.Zero(t, heardOf(t, carrier), "they have all said goodbye")
			})
		})
	}
}

func TestAFleetHandsEachPeriodOverWithinItsGrace(t *testing.T) {
	for _, publishers := range []int{1, 100} {
		t.Run(fmt.Sprintf("%d publishers", publishers), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const period, grace = 5 * time.Minute, 30 * time.Second
				carrier := ruled(over("a", period, policy.TimeOfEvent), over("b", period, policy.TimeOfArrival))
				hubs := make([]*Hub, publishers)
				for i := range hubs {
					hubs[i] = newHub(carrier, quiet)
				}
				fleet(t, carrier, hubs, 30*time.Minute, healthy) // they learn how many they are
				before := len(carrier.deliveries())

				const span = 5000 * time.Second
				signals := fleet(t, carrier, hubs, span, healthy)
				handOvers := float64(publishers) * (span.Seconds()/period.Seconds() + 1)
				t.Logf("%.3f signals/s", float64(signals)/span.Seconds())
				assert.LessOrEqual(t, float64(signals), 5*span.Minutes()+handOvers)

				busiest := map[int64]int{}
				for _, d := range carrier.deliveries()[before:] {
					busiest[d.at.Unix()]++
					for _, digest := range d.batch.Digests {
						end := digest.Last.Truncate(period).Add(period)
						require.False(t, digest.First.Before(end.Add(-period)), "crosses a period's end")
						require.True(t, d.at.Before(end.Add(grace)), "of the period until %s, at %s", end, d.at)
					}
				}
				for second, sent := range busiest {
					assert.LessOrEqual(t, sent, 30, "at %d: they are spread over half the grace", second)
				}
				for _, h := range hubs {
					closeHub(t, h)
				}
				for _, version := range carrier.status("fraud").Versions {
					for _, rule := range version.Rules {
						assert.Zero(t, rule.Late)
					}
				}
			})
		})
	}
}

func TestARollingDeployDoesNotInflateTheNumberOfPublishers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		carrier := newFakeCarrier()
		hubs := make([]*Hub, 10)
		for i := range hubs {
			hubs[i] = newHub(carrier, quiet)
		}
		fleet(t, carrier, hubs, 5*time.Minute, healthy)
		for i := range hubs { // one after the other is replaced
			closeHub(t, hubs[i])
			hubs[i] = newHub(carrier, quiet)
			fleet(t, carrier, hubs, 10*time.Second, healthy)
		}
		assert.LessOrEqual(t, heardOf(t, carrier), 10)
		for _, h := range hubs {
			closeHub(t, h)
		}
	})
}

func TestADigestOfThreeMetricsIsAtMostTwoKiB(t *testing.T) {
	for name, latency := range map[string]func(*rand.Rand) float64{
		"normal latency":     func(r *rand.Rand) float64 { return 120 + 20*r.NormFloat64() },
		"log-normal latency": func(r *rand.Rand) float64 { return 100 * math.Exp(0.5*r.NormFloat64()) },
	} {
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, 2))
			f := newFold(newHub(newFakeCarrier(), quiet).own, time.Now())
			f.counts.SetRules(nil)
			for range 100_000 {
				event := metric.NewEvent("fraud", "2026-11-23-candidate", 0.9+0.05*random.Float64(), latency(random), 0.03*math.Exp(0.3*random.NormFloat64()))
				_, err := f.add(&event, time.Now)
				require.NoError(t, err)
			}
			now := time.Now()
			digests := f.cut(now, true, func(time.Time) time.Time { return now })
			require.Len(t, digests, 1)
			encoded, err := json.Marshal(digests[0])
			require.NoError(t, err)
			t.Logf("%d bytes", len(encoded))
			assert.LessOrEqual(t, len(encoded), 2048)
		})
	}
}
