package monitor

import (
	"time"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/clock"
	"github.com/modelvigil/modelvigil/internal/strict"
	"github.com/modelvigil/modelvigil/metric"
)

// ObserveBatch takes a batch: drops it when its number is not above the
// publisher's last, else observes its digests one by one. Where its publisher may
// have been forgotten since it was counted, each of its digests is rejected.
func (m *Machine) ObserveBatch(now time.Time, batch *metric.Batch) {
	now = clock.Plain(now)
	if batch.ModelName != m.state.ModelName {
		m.Journal.Reject(now, contract.SignalMetricDigest, stray(m.state.ModelName, batch.ModelName), nil)
		return
	}

	last, isKnown := m.publishers.Sequence(batch.Publisher)
	if isKnown && batch.Sequence <= last {
		m.state.Counters.Duplicates += int64(len(batch.Digests))
		return
	}
	if !isKnown && batch.Closed && len(batch.Digests) == 0 {
		return // the farewell of one that is forgotten: there is nothing to count twice
	}

	forgotten := m.publishers.Refusal(batch, now)
	m.state.Counters.Gaps += m.publishers.Hear(now, batch)
	m.observeDigests(now, batch.Digests, forgotten)
}

// observeDigests observes the valid ones of a batch's digests, and refuses the others;
// all of them, where forgotten says that they may have been counted before.
func (m *Machine) observeDigests(now time.Time, digests []*metric.Digest, forgotten error) {
	m.watch.Forget()
	refused := refusals{source: contract.SignalMetricDigest}
	for i, digest := range digests {
		m.breath.take(m.Work(), m.OnBreath)
		if forgotten != nil || !digest.IsValid(now) {
			refused.add(elementPath(i), nil)
			continue
		}

		m.state.Counters.Digests++
		if m.OnDigest != nil {
			m.OnDigest(now, digest)
		}
		m.observation.OfDigest(digest)
		m.observe(now, &m.observation)
	}

	m.work += refused.explain(now, &m.Journal, func(r refusedElement) error {
		if forgotten != nil {
			return forgotten
		}
		return strict.At("digests"+r.path.String(), digests[r.path].Validate(now))
	})
}
