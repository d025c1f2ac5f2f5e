package workflows

import (
	"slices"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/monitor/journal"
	"github.com/modelvigil/modelvigil/policy"
)

// The metrics of monitors, counted where their decisions fall, and not again in
// replay. In Prometheus counters end in _total, and durations in _seconds.
const (
	MetricDecisions  = "modelvigil_decisions"           // by kind
	MetricSuppressed = "modelvigil_breaches_suppressed" // by suppressed_by
	MetricBreaches   = "modelvigil_breaches"
	MetricEvents     = "modelvigil_events"
	MetricDigests    = "modelvigil_digests"
	MetricDuplicates = "modelvigil_digests_duplicate"
	MetricGaps       = "modelvigil_batches_missing"
	MetricOverflow   = "modelvigil_overflow"
	MetricRejections = "modelvigil_rejections"          // by source
	MetricRetraining = "modelvigil_retraining_duration" // by outcome
	MetricDigestLag  = "modelvigil_digest_lag"
	MetricNotices    = "modelvigil_notices" // by outcome
	otherSource      = "other"              // of rejections: a signal of a name that nobody knows
)

// Listener hears what a monitor does, in its process and outside of its history.
// In a replay it hears of it again. It must not block.
type Listener interface {
	// Decided hears of each decision as it falls.
	Decided(ctx workflow.Context, d monitor.Decision)
	// Described hears what the monitor is like, whenever that may have changed. The
	// status is the machine's until it returns.
	Described(ctx workflow.Context, s monitor.Status)
}

type listenerKey struct{}

// WithListener lets a listener hear what the monitor of ctx does.
func WithListener(ctx workflow.Context, l Listener) workflow.Context {
	before, _ := ctx.Value(listenerKey{}).(listeners)
	return workflow.WithValue(ctx, listenerKey{}, append(before[:len(before):len(before)], l))
}

// listeners are all that one monitor has.
type listeners []Listener

func (all listeners) decided(ctx workflow.Context, d monitor.Decision) {
	for _, l := range all {
		l.Decided(ctx, d)
	}
}

func (all listeners) described(ctx workflow.Context, s monitor.Status) {
	for _, l := range all {
		l.Described(ctx, s)
	}
}

// measures are what one run counts.
type measures struct {
	metrics   client.MetricsHandler
	lag       client.MetricsTimer
	listeners listeners
	counted   monitor.Counters // until now
	warned    int64            // on streaks, not counted yet: fifty for an event, at most
	repeats   map[repeat]int64 // all other decisions on streaks, not counted yet
	flight    string           // request id of the retraining in flight
	triggered time.Time        // and when it was triggered
}

// repeat is what a decision on a streak is counted by.
type repeat struct {
	kind policy.Kind
	by   monitor.Suppression
}

// measure makes a run count what its machine does.
func (m *monitorRun) measure(ctx workflow.Context) {
	metrics := workflow.GetMetricsHandler(ctx)
	m.measures = measures{metrics: metrics, lag: metrics.Timer(MetricDigestLag), counted: m.machine.Counters(), repeats: map[repeat]int64{}}
	m.measures.listeners, _ = ctx.Value(listenerKey{}).(listeners)
	if flight := m.machine.Status(workflow.Now(ctx)).Current; flight != nil {
		m.measures.flight = flight.RequestID
		m.measures.triggered = flight.TriggeredAt
	}

	m.machine.OnDecision = func(d monitor.Decision) {
		m.measures.decision(d)
		m.measures.listeners.decided(ctx, d)
		m.log.Info("decision", "kind", d.Kind, "rule", d.Rule, "reason", d.Reason, "model_version", d.ModelVersion,
			"request_id", d.RequestID, "by", d.By, "suppressed_by", d.SuppressedBy)
	}

	m.machine.OnRepeat = func(kind policy.Kind, by monitor.Suppression) { // as often as breaches come: counted, and not spoken of
		if kind == policy.Warned {
			m.measures.warned++
			return
		}
		m.measures.repeats[repeat{kind, by}]++
	}

	m.machine.OnRejection = func(r monitor.Rejection, count int64) {
		m.measures.inc(MetricRejections, "source", boundedSource(r.Source), count)
		m.log.Warn("rejected", "source", r.Source, "reason", r.Reason, "payload", r.Payload)
	}

	m.machine.OnDigest = func(now time.Time, d *metric.Digest) {
		m.measures.lag.Record(max(0, now.Sub(d.FoldedUntil))) // the publisher's clock may be ahead
	}
}

// ShowZeros shows every counter of monitors that has not counted yet as 0, so that a
// rate sees the first one. metrics are a worker's, with its task queue.
func ShowZeros(metrics client.MetricsHandler) {
	for _, name := range []string{MetricBreaches, MetricEvents, MetricDigests, MetricDuplicates, MetricGaps, MetricOverflow} {
		metrics.Counter(name).Inc(0)
	}
	zero := func(name, label, value string) {
		metrics.WithTags(map[string]string{label: value}).Counter(name).Inc(0)
	}
	for _, kind := range policy.Kinds() {
		zero(MetricDecisions, "kind", string(kind))
	}
	for _, by := range journal.Suppressions() {
		zero(MetricSuppressed, "suppressed_by", string(by))
	}
	for _, outcome := range noticeOutcomes {
		zero(MetricNotices, "outcome", outcome)
	}
	for _, source := range rejectionSources {
		zero(MetricRejections, "source", source)
	}
}

func (m *measures) inc(name, label, value string, by int64) {
	m.metrics.WithTags(map[string]string{label: value}).Counter(name).Inc(by)
}

// decided counts decisions of one kind.
func (m *measures) decided(of repeat, count int64) {
	m.inc(MetricDecisions, "kind", string(of.kind), count)
	if of.kind == policy.Suppressed {
		m.inc(MetricSuppressed, "suppressed_by", string(of.by), count)
	}
}

func (m *measures) decision(d monitor.Decision) {
	m.decided(repeat{d.Kind, d.SuppressedBy}, 1)
	switch d.Kind {
	case policy.Triggered:
		m.flight = d.RequestID
		m.triggered = d.At
	case policy.Succeeded, policy.Failed, policy.TimedOut, policy.Cancelled:
		if d.RequestID == m.flight { // else it ended before, and this is its pipeline's late word
			m.metrics.WithTags(map[string]string{"outcome": string(d.Kind)}).Timer(MetricRetraining).Record(d.At.Sub(m.triggered))
			m.flight = ""
		}
	}
}

// count adds what the machine has counted since it was last asked.
func (m *measures) count(now monitor.Counters) {
	for of, times := range m.repeats { // in any order
		m.decided(of, times)
	}
	clear(m.repeats)
	if m.warned > 0 {
		m.decided(repeat{kind: policy.Warned}, m.warned)
		m.warned = 0
	}

	before := m.counted
	m.counted = now
	for _, c := range []struct {
		name        string
		now, before int64
	}{
		{MetricEvents, now.Events, before.Events},
		{MetricDigests, now.Digests, before.Digests},
		{MetricDuplicates, now.Duplicates, before.Duplicates},
		{MetricGaps, now.Gaps, before.Gaps},
		{MetricOverflow, now.Overflow, before.Overflow},
		{MetricBreaches, now.Breaches, before.Breaches},
	} {
		if c.now > c.before {
			m.metrics.Counter(c.name).Inc(c.now - c.before)
		}
	}

	for i, counted := range []int64{now.Notices.Delivered - before.Notices.Delivered, now.Notices.Failed - before.Notices.Failed} {
		if counted > 0 {
			m.metrics.WithTags(map[string]string{"outcome": noticeOutcomes[i]}).Counter(MetricNotices).Inc(counted)
		}
	}
}

// noticeOutcomes are what becomes of notices.
var noticeOutcomes = []string{"delivered", "failed"}

// rejectionSources are what rejections come by. The names that anyone may give a
// signal are kept out of labels.
var rejectionSources = []string{
	contract.SignalMetric, contract.SignalMetricDigest, contract.SignalRetrainingOutcome, string(journal.ByBlackout), sourceLastPolicy, otherSource,
}

func boundedSource(source string) string {
	if slices.Contains(rejectionSources, source) {
		return source
	}
	return otherSource
}
