package certify

import (
	"slices"
	"time"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
)

// A policy whose rules all judge the same periods knows of a period only its sums: a
// digest of it is decided about as its events would be, at a fraction of the cost.

// isFoldable says that the policy's rules judge nothing but counts, sums and extremes of
// granules.
func (t *trials) isFoldable() bool {
	return !slices.ContainsFunc(t.policy.Rules, func(r policy.Rule) bool {
		isSum := r.Stat != "" && !r.Stat.IsPercentile()
		isOwn := r.HasBaseline() && r.Baseline != nil && r.Baseline.Periods == 0 // which counts single readings
		isPlain := r.Metric != "" && r.Zone == "" && r.Offset.IsZero() && r.Time != policy.TimeOfArrival && !r.IsDrift()
		return !isSum || !isPlain || isOwn || r.PeriodLength() != t.pool.granule
	})
}

// folded are the readings of the pool's granules as digests, of what a policy's rules
// measure.
func (p *pool) folded(wanted policy.Policy) (all []placed) {
	var names []string
	for i := range wanted.Rules {
		if name := wanted.Rules[i].Metric; !slices.Contains(names, name) {
			names = append(names, name)
		}
	}

	granule := time.Duration(-1)
	for i := range p.readings {
		reading := &p.readings[i]
		if at := reading.at / p.granule; at != granule {
			granule = at
			first := p.begins.Add(reading.at)
			all = append(all, placed{digest: &metric.Digest{
				ModelVersion: resampledVersion, First: first, FoldedFrom: first, Metrics: make(map[string]*metric.Summary, len(names)),
			}})
		}

		last := &all[len(all)-1]
		last.at = reading.at
		last.digest.Events++
		last.digest.Last = p.begins.Add(reading.at)
		last.digest.FoldedUntil = last.digest.Last.Add(1)
		for _, name := range names {
			if value, measured := reading.event.Reading(name); measured {
				if last.digest.Metrics[name] == nil {
					last.digest.Metrics[name] = &metric.Summary{}
				}
				last.digest.Metrics[name].Add(value, time.Time{})
			}
		}
	}

	return all
}

// takeDigest makes a resampled digest, of which the last event is at an instant.
func (t *trials) takeDigest(digest *metric.Digest, reading *placed, at time.Duration) *metric.Digest {
	*digest = *reading.digest
	moved := at - reading.at
	digest.First = digest.First.Add(moved)
	digest.Last = digest.Last.Add(moved)
	digest.FoldedFrom = digest.FoldedFrom.Add(moved)
	digest.FoldedUntil = digest.FoldedUntil.Add(moved)
	return digest
}
