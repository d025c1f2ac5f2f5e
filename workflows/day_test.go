package workflows_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/modelvigil/modelvigil/backtest"
	"github.com/modelvigil/modelvigil/backtest/recording"
	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/hub"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// A day is played twice: live, through a hub that folds it into batches and a workflow
// that takes them when they come, and as a recording through a backtest. What may differ
// is named here, and only that:
//
//   - A rule on single events hears of one as late as the hub reports it, by default a
//     minute, and of a fold's breaches as of one, its furthest. Until then a datapoint that
//     breaches may come before it. Everything else falls at the same instant.
//   - A rule on drift has readings in the bins of its reference, which a hub counts from
//     when it has learnt the edges. Up to then it has sketches of them, within 1 %.
//   - Sums are of other parts, and differ by a bit.
//   - A backend answers when it has; that of a backtest does at once.
//   - Requests of a backtest have ids of their own.

const reportEvery = time.Minute // the default

// day is what a test plays.
type day struct {
	policy   string
	isSingle bool // its rules judge single events
	kinds    []policy.Kind
	rules    []string // that must have decided something
}

var days = map[string]day{
	"periods": {
		policy: `{"cooldown": "1h", "rules": [
			{"name": "decay", "metric": "accuracy", "stat": "mean", "period": "10m", "below": 0.85},
			{"name": "slow", "metric": "latency_ms", "stat": "p95", "period": "10m", "above": 300, "datapoints": {"breaching": 2, "of": 3}},
			{"name": "worse", "metric": "accuracy", "stat": "mean", "period": "10m", "below_baseline_by": "4%", "baseline": {"samples": 500}, "severity": "warning"},
			{"name": "quiet", "metric": "accuracy", "stat": "count", "period": "10m", "below": 2},
			{"name": "shifted", "metric": "amount", "period": "30m", "above": 0.2, "drift": {"statistic": "ks", "reference": {"from": "first", "samples": 700}}},
			{"name": "high", "metric": "latency_ms", "stat": "mean", "period": "5m", "above": 200, "condition": true},
			{"name": "odd", "metric": "amount", "stat": "mean", "period": "5m", "above": 130, "condition": true},
			{"name": "high and odd", "all_of": ["high", "odd"]},
			{"name": "high or odd", "any_of": ["high", "odd"], "condition": true},
			{"name": "unlike", "at_least": 3, "of": ["high or odd", "worse", "slow"], "severity": "warning"}]}`,
		kinds: []policy.Kind{policy.Triggered, policy.Accepted, policy.Suppressed, policy.Warned},
		rules: []string{"decay", "slow", "worse", "quiet", "shifted", "high and odd", "unlike"},
	},
	"single events": {
		policy:   `{"cooldown": "1h", "rules": [{"name": "floor", "metric": "accuracy", "below": 0.5}]}`,
		isSingle: true,
		kinds:    []policy.Kind{policy.Triggered, policy.Accepted, policy.Suppressed},
		rules:    []string{"floor"},
	},
}

func TestADayIsDecidedLiveAsInABacktestOfItsRecording(t *testing.T) {
	for name, d := range days {
		for seed := range uint64(3) {
			t.Run(fmt.Sprint(name, " ", seed), func(t *testing.T) {
				wanted, err := policy.Decode([]byte(d.policy))
				require.NoError(t, err)
				require.NoError(t, wanted.Validate())

				var sent *wire
				var events []metric.Event
				synctest.Test(t, func(t *testing.T) { sent, events = published(t, wanted, seed) })
				live := sent.relived(t, d.policy).Decisions
				last := len(live) - 1
				require.Equal(t, policy.Stopped, live[last].Kind, "by the test")
				live = live[:last]
				guided := sent.machine.Status(sent.began.Add(watched)).Decisions
				results, err := backtest.Run(t.Context(), recording.Of(events...), []backtest.Policy{{Label: "day", Policy: wanted}},
					backtest.Options{Training: backtest.TrainingAccepted})
				require.NoError(t, err)

				require.Less(t, last, 49, "a monitor keeps 50 decisions, and all are compared")
				assert.Less(t, len(sent.signals), len(events)/3, "the hub has folded")
				requireSameDecisions(t, guided, live, false)
				requireSameDecisions(t, results[0].Decisions, live, d.isSingle)
				for _, kind := range d.kinds {
					assert.Contains(t, kindsIn(live), kind)
				}
				for _, rule := range d.rules {
					assert.Contains(t, rulesIn(live), rule)
				}
			})
		}
	}
}

// requireSameDecisions allows for what may differ, and nothing else.
func requireSameDecisions(t *testing.T, recorded, live []monitor.Decision, areSingle bool) {
	t.Helper()
	require.Equal(t, inWords(recorded, areSingle), inWords(live, areSingle))
	for i, r := range recorded {
		l := live[i]
		latest := time.Duration(0)
		if areSingle {
			latest = reportEvery
		}
		if r.Kind == policy.Accepted {
			latest += time.Minute // the test's backend has no clock but the wall's
		}
		late := l.At.Sub(r.At)
		assert.True(t, late >= 0 && late <= latest, "%d: %s of %s came %s later", i, r.Kind, r.Rule, late)
		if r.Kind == policy.Suppressed && areSingle {
			assert.True(t, l.Count >= 1 && l.Count <= r.Count, "%d: %d of %d", i, l.Count, r.Count)
			continue
		}

		assert.Equal(t, r.Count, l.Count, "%d", i)
		exact := 1e-9
		if isDrift(&r) {
			exact = metric.SketchAccuracy
		}
		assert.InDelta(t, r.Value.Or(-1), l.Value.Or(-1), exact, "%d", i)
		assert.InDelta(t, r.Threshold.Or(-1), l.Threshold.Or(-1), 1e-9, "%d", i)
	}
}

// inWords are decisions without what may differ by a bit.
func inWords(decisions []monitor.Decision, areSingle bool) (words []string) {
	for i := range decisions {
		d := &decisions[i]
		reason := d.Reason
		if areSingle && d.Kind == policy.Suppressed || isDrift(d) {
			reason = "" // it tells the furthest of a fold, or a statistic within its accuracy
		}
		words = append(words, fmt.Sprint(d.Kind, d.SuppressedBy, ": ", d.Rule, " of ", d.ModelVersion, ": ", reason))
	}
	return words
}

func isDrift(d *monitor.Decision) bool { return d.Rule == "shifted" && d.Kind != policy.Accepted }

func kindsIn(decisions []monitor.Decision) (kinds []policy.Kind) {
	for i := range decisions {
		kinds = append(kinds, decisions[i].Kind)
	}
	return kinds
}

func rulesIn(decisions []monitor.Decision) (rules []string) {
	for i := range decisions {
		rules = append(rules, decisions[i].Rule)
	}
	return rules
}

const (
	dayLength = 24 * time.Hour
	watched   = dayLength + time.Minute // until the last periods are judged, as a backtest goes on
)

// published publishes a day through a hub, within a bubble of synctest.
func published(t *testing.T, wanted policy.Policy, seed uint64) (*wire, []metric.Event) {
	random := rand.New(rand.NewPCG(seed, 24))
	w := &wire{began: time.Now().UTC(), machine: monitor.NewMachine("fraud", contract.WorkflowID("fraud")+"/run", wanted)}
	h := hub.New(w, hub.Options{})
	var events []metric.Event
	for {
		pause := time.Duration(1+random.Int64N(20_000)) * time.Millisecond
		time.Sleep(pause)
		passed := time.Since(w.began)
		if passed >= dayLength {
			break
		}
		if event, isHeard := eventAt(passed, random); isHeard {
			event.Timestamp = time.Now().UTC()
			events = append(events, event)
			require.NoError(t, h.Publish(t.Context(), event))
		}
	}
	require.NoError(t, h.Close(t.Context()))
	w.advance(w.began.Add(watched))
	return w, events
}

// eventAt is what is measured at a time of the day: of v1, of v2 that is its canary from
// 8 o'clock and takes over at 10, and of v3 from 17:03 on.
func eventAt(passed time.Duration, random *rand.Rand) (event metric.Event, isHeard bool) {
	hour := passed.Hours()
	within := func(from, until float64) bool { return hour >= from && hour < until }
	version := "v1"
	switch {
	case hour >= 17.05:
		version = "v3"
	case hour >= 10, hour >= 8 && random.IntN(10) == 0:
		version = "v2"
	}

	accuracy := 0.92 + 0.01*random.NormFloat64()
	latency := 100 * math.Exp(0.3*random.NormFloat64())
	amount := 100 * math.Exp(0.2*random.NormFloat64())
	switch {
	case within(3, 3.7): // it decays
		accuracy -= 0.1
	case within(5, 6.4): // it is slow
		latency *= 4
	case within(12, 13.5), within(20.5, 21.2): // amounts are others
		amount *= 1.6
	}
	if within(20.2, 21.5) {
		accuracy -= 0.05
		latency *= 3
	}
	if random.IntN(400) == 0 { // a single one is bad
		accuracy = 0.3 + 0.1*random.Float64()
	}
	return metric.Event{
		ModelName: "fraud", ModelVersion: version, Accuracy: metric.Some(accuracy), LatencyMS: metric.Some(latency),
		Metrics: map[string]float64{"amount": amount},
	}, !within(14.3, 14.8)
}

// wire is a client of Temporal whose monitor is a machine, for what the hub asks, and that
// keeps what the hub sends and when.
type wire struct {
	client.Client // of which the hub calls what is below
	mu            sync.Mutex
	began         time.Time
	machine       *monitor.Machine
	told          contract.Guidance
	runs          int
	signals       []signalled
}

type signalled struct {
	at      time.Time
	payload json.RawMessage
}

// run is one of a monitor's.
type run struct {
	client.WorkflowRun
	id string
}

func (r run) GetRunID() string { return r.id }

// SignalWithStartWorkflow implements client.Client.
func (w *wire) SignalWithStartWorkflow(_ context.Context, _, _ string, arg any, _ client.StartWorkflowOptions, _ any, _ ...any) (client.WorkflowRun, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	payload, err := json.Marshal(arg)
	if err != nil {
		return nil, err
	}
	batch, err := metric.DecodeBatch(payload)
	if err != nil {
		return nil, err
	}

	now := time.Now().UTC()
	w.signals = append(w.signals, signalled{now, payload})
	w.advance(now)
	w.machine.ObserveBatch(now, batch)
	w.tick(now)
	if guidance := w.machine.Guidance(now); guidance.IsNewsAfter(&w.told) { // its run hands on
		w.told = guidance
		w.runs++
	}
	return run{id: fmt.Sprint(w.runs)}, nil
}

// QueryWorkflow implements client.Client.
func (w *wire) QueryWorkflow(context.Context, string, string, string, ...any) (converter.EncodedValue, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now().UTC()
	w.advance(now)
	payloads, err := converter.GetDefaultDataConverter().ToPayloads(w.machine.Guidance(now))
	return client.NewValue(payloads), err
}

// advance lets the machine's timers fire until now.
func (w *wire) advance(now time.Time) {
	for {
		wake, ok := w.machine.NextWake()
		if !ok || wake.After(now) {
			return
		}
		w.tick(wake)
		if next, ok := w.machine.NextWake(); ok && !next.After(wake) {
			return // what it wants is none of a timer
		}
	}
}

func (w *wire) tick(now time.Time) {
	w.machine.Tick(now)
	if flight := w.machine.Wants(now).Schedule; flight != nil {
		w.machine.TakeJob(now, flight.RequestID, modelops.Job{Backend: "backtest"})
	}
}

// relived hands what was sent to a workflow, at its times, over as many runs as it takes,
// and returns the status it ends with.
func (w *wire) relived(t *testing.T, wanted string) monitor.Status {
	t.Helper()
	var input any = json.RawMessage(`{"model_name": "fraud", "policy": ` + wanted + `}`)
	taken := 0
	l := newLife(t, "fraud")
	l.SetStartTime(w.began)
	for from := w.began; ; from = l.Now() {
		l.OnActivity(retraining.ScheduleRetraining, mock.Anything, mock.Anything).Return(modelops.Job{Backend: "backtest"}, nil).Maybe()
		alive := l // the environment has no room for a day's callbacks at once: one calls for the next
		var send func()
		await := func(since time.Time) {
			if taken < len(w.signals) {
				alive.after(max(0, w.signals[taken].at.Sub(since)), send)
			}
		}
		send = func() {
			signal := w.signals[taken]
			taken++
			alive.SignalWorkflow(contract.SignalMetricDigest, signal.payload)
			await(alive.Now())
		}
		await(from)
		l.update(w.began.Add(watched).Sub(from), "the-end", contract.UpdateStop, nil)
		l.ExecuteWorkflow(contract.WorkflowType, input)
		require.True(t, l.IsWorkflowCompleted())
		if l.GetWorkflowError() == nil {
			require.Len(t, w.signals, taken)
			return l.status()
		}

		l, input = newLife(t, "fraud").next(l)
	}
}
