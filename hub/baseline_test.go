package hub

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
)

// against is a rule that measures a version against its first readings.
func against(name, of string, samples int64) policy.Rule {
	return policy.Rule{
		Name: name, Metric: of, Stat: policy.StatMean, Period: metric.Some(policy.Duration(time.Minute)),
		BelowBaselineBy: metric.Some(policy.Margin{Value: 10, Percent: true}), Baseline: &policy.Baseline{Samples: samples},
	}
}

// A baseline of n readings is the mean of the first n, whatever digests they were folded
// into, and whichever timestamps they have: as it is of single events.
func TestABaselineIsOfAsManyReadingsAsARuleAsksForWhateverTheyWereFoldedInto(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 7))
			wants := map[string][]int64{metric.Accuracy: {3 + random.Int64N(20), 40 + random.Int64N(200)}, "auc": {2 + random.Int64N(100)}}
			var rules []policy.Rule
			for of, samples := range wants {
				for i, n := range samples {
					rules = append(rules, against(fmt.Sprint(of, i), of, n))
				}
			}
			c := ruled(rules...)
			h := newHub(c, quiet)
			firsts := map[string][]float64{} // by version and metric
			publish := func(version string) {
				event := healthy("fraud")
				event.ModelVersion = version
				event.Timestamp = time.Now().Add(-time.Duration(random.Int64N(int64(3 * time.Minute))))
				event.Accuracy = metric.Some(random.Float64())
				firsts[version+metric.Accuracy] = append(firsts[version+metric.Accuracy], event.Accuracy.Value())
				if random.IntN(2) == 0 {
					event.Metrics = map[string]float64{"auc": random.Float64()}
					firsts[version+"auc"] = append(firsts[version+"auc"], event.Metrics["auc"])
				}
				require.NoError(t, h.Publish(t.Context(), event))
			}

			publish("v1")
			time.Sleep(time.Second) // it learns the rules
			synctest.Wait()
			for range 600 {
				publish(fmt.Sprint("v", 1+random.IntN(2)))
				time.Sleep(time.Duration(random.Int64N(int64(200 * time.Millisecond))))
			}
			closeHub(t, h)

			for version, v := range c.status("fraud").Versions {
				for _, rule := range v.Rules {
					of := policy.Rule{}
					for _, r := range rules {
						if r.Name == rule.Name {
							of = r
						}
					}
					sum := 0.0
					for _, value := range firsts[version+of.Metric][:of.Baseline.Samples] {
						sum += value
					}
					base, isFull := rule.Baseline.Get()
					require.True(t, isFull, "%s of %s", rule.Name, version)
					assert.InDelta(t, sum/float64(of.Baseline.Samples), base, 1e-9, "%s of %s: first %d", rule.Name, version, of.Baseline.Samples)
				}
			}
			assert.Less(t, len(digestsOf(c)), 100, "they are folded nevertheless")
		})
	}
}

// What is published before the rules are learnt may make a baseline full, too.
func TestABaselineIsOfAsManyReadingsThoughTheyCameBeforeTheRulesWereKnown(t *testing.T) {
	for _, samples := range []int64{100, 400, 1000} {
		synctest.Test(t, func(t *testing.T) {
			c := ruled(against("decay", metric.Accuracy, samples))
			h := newHub(c, quiet)
			sum := 0.0
			for i := range 3 * samples {
				event := healthy("fraud")
				event.Accuracy = metric.Some(float64(i) / 10_000)
				if i < samples {
					sum += event.Accuracy.Value()
				}
				require.NoError(t, h.Publish(t.Context(), event))
			}
			closeHub(t, h)
			base, isFull := c.status("fraud").Versions["v1"].Rules[0].Baseline.Get()
			require.True(t, isFull)
			assert.InDelta(t, sum/float64(samples), base, 1e-9)
		})
	}
}

func digestsIn(all []folded) (digests []*metric.Digest) {
	for _, one := range all {
		digests = append(digests, one.Digest)
	}
	return digests
}
