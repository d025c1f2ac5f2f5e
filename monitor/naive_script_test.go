package monitor_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// A script is what happens to a monitor: inputs, in the order of time. As JSON, one
// a line, it is what a failing case is printed as, and what is kept of it in
// testdata/naive.
type script []input

// input is one thing that happens; exactly one of the fields below its times is set.
type input struct {
	At     policy.Duration `json:"at"`               // since the start, noon of a Sunday
	Joined bool            `json:"joined,omitempty"` // read in one go with the next: no time is let pass between the two
	Early  bool            `json:"early,omitempty"`  // read before a timer of the same instant fires

	Policy  json.RawMessage `json:"policy,omitempty"`  // is applied
	Event   *eventInput     `json:"event,omitempty"`   // a bare event
	Batch   *batchInput     `json:"batch,omitempty"`   // of a publisher
	Word    *wordInput      `json:"word,omitempty"`    // of an operator
	Backend *backendInput   `json:"backend,omitempty"` // says something of a retraining
	Away    policy.Duration `json:"away,omitempty"`    // for so long nobody is there: what comes meanwhile is read at its end
	Stray   bool            `json:"stray,omitempty"`   // an event of another model
}

// eventInput is one event; readings left out were not taken.
type eventInput struct {
	Version  string             `json:"version"`
	Behind   policy.Duration    `json:"behind,omitempty"` // its timestamp, before it is read
	Readings map[string]float64 `json:"readings,omitempty"`
	Times    int                `json:"times,omitempty"` // in a digest; 0 is once
}

type batchInput struct {
	Publisher string        `json:"publisher"`
	Number    int64         `json:"number"`
	Closed    bool          `json:"closed,omitempty"`
	Digests   []digestInput `json:"digests,omitempty"`
}

// digestInput is events of one version, folded. Its clock is the publisher's.
type digestInput struct {
	Behind policy.Duration `json:"behind,omitempty"` // when folding ended, before it is read
	Span   policy.Duration `json:"span,omitempty"`   // for how long it was folded
	Events []eventInput    `json:"events"`           // none: it is broken
}

// wordInput is what an operator says.
type wordInput struct {
	Say    string `json:"say"` // pause, resume, retrain, force, approve, reject, cancel or stop
	By     string `json:"by,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// backendInput is about the retraining that was asked for last, or the one so many
// before it.
type backendInput struct {
	Before  int    `json:"before,omitempty"`
	Say     string `json:"say"` // followed, accepted, refused, succeeded, failed, held, told, untold, and of the oldest notice noticed or unnoticed
	Version string `json:"version,omitempty"`
}

var scriptStart = noon

func (s script) String() string {
	var text strings.Builder
	for i := range s {
		line, _ := json.Marshal(&s[i])
		text.Write(append(line, '\n'))
	}
	return text.String()
}

func parseScript(text string) (s script, err error) {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "#") || strings.TrimSpace(line) == "" {
			continue
		}
		var in input
		decoder := json.NewDecoder(strings.NewReader(line))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&in); err != nil {
			return nil, fmt.Errorf("%s: %w", line, err)
		}
		s = append(s, in)
	}
	return s, nil
}

func (e *eventInput) event(now time.Time) *metric.Event {
	event := &metric.Event{ModelName: "fraud", ModelVersion: e.Version, Timestamp: now.Add(-time.Duration(e.Behind))}
	for name, value := range e.Readings {
		switch name {
		case metric.Accuracy:
			event.Accuracy = metric.Some(value)
		case metric.LatencyMS:
			event.LatencyMS = metric.Some(value)
		case metric.DriftScore:
			event.DriftScore = metric.Some(value)
		default:
			if event.Metrics == nil {
				event.Metrics = map[string]float64{}
			}
			event.Metrics[name] = value
		}
	}
	return event
}

// observed is the same event as the naive machine sees it.
func (e *eventInput) observed(now time.Time) *observed {
	stamp := now.Add(-time.Duration(e.Behind))
	o := &observed{version: e.Version, events: 1, first: stamp, last: stamp, from: now, until: now, readings: map[string][]float64{}}
	for name, value := range e.Readings {
		o.readings[name] = []float64{value}
	}
	return o
}

// digest folds events as a hub does, each reading by itself.
func (d *digestInput) digest(now time.Time) *metric.Digest {
	until := now.Add(-time.Duration(d.Behind))
	folded := &metric.Digest{FoldedFrom: until.Add(-time.Duration(d.Span)), FoldedUntil: until, First: until, Last: until}
	for i := range d.Events {
		e := &d.Events[i]
		stamp := until.Add(-time.Duration(e.Behind))
		folded.ModelVersion = e.Version
		if folded.Events == 0 || stamp.Before(folded.First) {
			folded.First = stamp
		}
		if folded.Events == 0 || stamp.After(folded.Last) {
			folded.Last = stamp
		}
		for range max(1, e.Times) {
			folded.Events++
			for name, value := range e.Readings {
				if folded.Metrics == nil {
					folded.Metrics = map[string]*metric.Summary{}
				}
				if folded.Metrics[name] == nil {
					folded.Metrics[name] = &metric.Summary{}
				}
				folded.Metrics[name].Add(value, stamp)
			}
		}
	}
	return folded
}

func (d *digestInput) observed(now time.Time) *observed {
	until := now.Add(-time.Duration(d.Behind))
	o := &observed{from: until.Add(-time.Duration(d.Span)), until: until, readings: map[string][]float64{}}
	for i := range d.Events {
		e := &d.Events[i]
		stamp := until.Add(-time.Duration(e.Behind))
		o.version = e.Version
		if o.events == 0 || stamp.Before(o.first) {
			o.first = stamp
		}
		if o.events == 0 || stamp.After(o.last) {
			o.last = stamp
		}
		for range max(1, e.Times) {
			o.events++
			for name, value := range e.Readings {
				o.readings[name] = append(o.readings[name], value)
			}
		}
	}
	return o
}

func idBefore(requested int64, before int) string {
	return fmt.Sprintf("%s/%d", requestBase, requested-int64(before))
}

// show gives an input to the machine; said is what an operator is answered.
func (in *input) show(m *monitor.Machine, now time.Time) (said string) {
	switch {
	case in.Policy != nil:
		if m.Phase(now) != contract.PhaseStopping { // its validator refuses it
			policy, err := policy.Decode(in.Policy)
			if err != nil {
				panic(err)
			}
			m.SetPolicy(now, policy)
		}
	case in.Event != nil:
		m.Observe(now, in.Event.event(now))
	case in.Batch != nil:
		b := &metric.Batch{Version: 1, ModelName: "fraud", Publisher: in.Batch.Publisher, Sequence: in.Batch.Number, Closed: in.Batch.Closed}
		for i := range in.Batch.Digests {
			b.Digests = append(b.Digests, in.Batch.Digests[i].digest(now))
		}
		m.ObserveBatch(now, b)
	case in.Word != nil:
		return in.Word.show(m, now)
	case in.Backend != nil:
		in.Backend.show(m, now)
	case in.Stray:
		m.Observe(now, &metric.Event{ModelName: "another", Timestamp: now})
	}
	return ""
}

func (w *wordInput) show(m *monitor.Machine, now time.Time) string {
	control := monitor.Control{By: w.By, Reason: w.Reason, Force: w.Say == "force"}
	answer := func(err error, do func()) string {
		if err != nil {
			return err.Error()
		}
		do()
		return ""
	}
	switch isStopping := m.Phase(now) == contract.PhaseStopping; w.Say {
	case "pause":
		if !isStopping {
			m.PauseBy(now, control)
		}
	case "resume":
		if !isStopping {
			m.ResumeBy(now, control)
		}
	case "retrain", "force":
		return answer(m.CanRetrain(now, control), func() { m.Retrain(now, control) })
	case "approve":
		return answer(m.CanAnswer(true), func() { m.Approve(now, control) })
	case "reject":
		return answer(m.CanAnswer(false), func() { m.RejectPending(now, control) })
	case "cancel":
		return answer(m.CanCancel(), func() { m.Cancel(now, control) })
	case "stop":
		m.StopBy(now, control)
	}
	return ""
}

func (b *backendInput) show(m *monitor.Machine, now time.Time) {
	switch id := idBefore(m.Counters().Retrainings.Requested, b.Before); b.Say {
	case "followed", "accepted":
		m.TakeJob(now, id, modelops.Job{Backend: "b", ID: "job", Followed: b.Say == "followed"})
	case "refused":
		m.TakeRefusal(now, id, "no such pipeline")
	case "succeeded", "failed":
		m.Outcome(now, modelops.Outcome{RequestID: id, State: modelops.State(b.Say), Message: "so it says", ModelVersion: b.Version})
	case "held":
		m.Freeze(now, id, "frozen")
	case "told":
		m.CancelTold(now, id, nil)
	case "untold":
		m.CancelTold(now, id, errors.New("it does not answer"))
	case "noticed", "unnoticed":
		var err error
		if b.Say == "unnoticed" {
			err = errors.New("nobody is there")
		}
		if waiting := m.Wants(now).Notices; len(waiting) > 0 {
			m.NoticeTold(waiting[0].ID, err)
		}
	}
}

// tell gives the same input to the naive machine.
func (in *input) tell(n *naive, now time.Time) (said string) {
	switch {
	case in.Policy != nil:
		if policy, err := policy.Decode(in.Policy); err == nil && n.stopped == nil {
			n.setPolicy(now, policy)
		}
	case in.Event != nil:
		n.observe(now, in.Event.observed(now))
	case in.Batch != nil:
		var digests []*observed
		for i := range in.Batch.Digests {
			digests = append(digests, in.Batch.Digests[i].observed(now))
		}
		n.batch(now, in.Batch.Publisher, in.Batch.Number, in.Batch.Closed, digests)
	case in.Word != nil:
		return in.Word.tell(n, now)
	case in.Backend != nil:
		in.Backend.tell(n, now)
	case in.Stray:
		n.counters.Rejected++
	}
	return ""
}

func (w *wordInput) tell(n *naive, now time.Time) (refusal string) {
	switch w.Say {
	case "pause":
		if n.stopped == nil {
			n.pause(now, w.By, w.Reason)
		}
	case "resume":
		if n.stopped == nil {
			n.resume(now, w.By, w.Reason)
		}
	case "retrain", "force":
		if refusal = n.refusal(now, w.Say == "force"); refusal == "" {
			n.retrain(now, w.By, w.Reason, w.Say == "force")
		}
	case "approve":
		if refusal = n.answerRefusal(true); refusal == "" {
			n.approve(now, w.By, w.Reason)
		}
	case "reject":
		if refusal = n.answerRefusal(false); refusal == "" {
			n.turnDown(now, w.By, w.Reason)
		}
	case "cancel":
		if n.flight == nil {
			return "no retraining is in flight"
		}
		n.cancel(now, w.By, w.Reason)
	case "stop":
		n.stop(now, w.By, w.Reason)
	}
	return refusal
}

func (b *backendInput) tell(n *naive, now time.Time) {
	switch id := idBefore(n.counters.Retrainings.Requested, b.Before); b.Say {
	case "followed", "accepted":
		n.scheduled(now, id, "b", b.Say == "followed")
	case "refused":
		n.refused(now, id, "no such pipeline")
	case "succeeded", "failed":
		n.outcome(now, id, policy.Kind(b.Say), "so it says", b.Version)
	case "held":
		n.hold(now, id, "frozen")
	case "told":
		n.cancelTold(now, id, "")
	case "untold":
		n.cancelTold(now, id, "it does not answer")
	case "noticed":
		n.noticeTold("")
	case "unnoticed":
		n.noticeTold("nobody is there")
	}
}
