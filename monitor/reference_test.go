package monitor_test

import (
	"fmt"
	"slices"
	"time"
)

// reference is the rules of the original and of design.md written a second time,
// with nothing folded, bounded or derived: every event is looked at by itself.
type reference struct {
	minAccuracy, maxLatency, maxDrift float64
	cooldown, timeout                 time.Duration

	last            time.Time // the last trigger
	flight          int       // the retraining in flight; 0 for none
	deadline        time.Time
	scheduled       bool
	paused, stopped bool
	superseded      bool             // v1, by v2
	ofVersion       map[int]bool     // retrainings that v1 triggered
	ended           []int            // retrainings, in the order in which their flights ended
	ends            map[int]string   // what became of each
	numbers         map[string]int64 // the last batch of each publisher
	words           map[string]time.Time

	requested, accepted, succeeded, failed                int
	events, digests, breaches, duplicates, gaps, rejected int64
	suppressed                                            map[string]int64
	log                                                   []string
}

// sample is an event as the reference sees it; nil is a reading not taken.
type sample struct{ accuracy, latency, drift *float64 }

func (r *reference) cooldownEnd() time.Time {
	if r.last.IsZero() {
		return time.Time{}
	}
	return r.last.Add(r.cooldown)
}

// observe judges events that were folded from one instant until, exclusively,
// another. One event by itself was folded at the instant it is handled.
func (r *reference) observe(now, from, until time.Time, samples []sample) {
	r.events += int64(len(samples))
	rule, reason := r.judge(samples)
	if rule == "" {
		return
	}
	r.breaches++
	lastInstant := until
	if until.After(from) {
		lastInstant = until.Add(-1)
	}
	suppressedBy := ""
	switch end := r.cooldownEnd(); {
	case r.stopped:
		suppressedBy = "stopping"
	case r.paused:
		suppressedBy = "paused"
	case now.Before(end) || lastInstant.Before(end):
		suppressedBy = "cooldown"
	case r.flight != 0:
		suppressedBy = "in_flight"
	case r.superseded:
		suppressedBy = "superseded"
	}
	if suppressedBy != "" {
		r.suppressed[suppressedBy]++
		r.write("suppressed", rule, reason, 0, "", suppressedBy)
		return
	}
	r.trigger(now, rule, reason, "")
}

func (r *reference) judge(samples []sample) (rule, reason string) {
	var accuracy, latency, drift []float64
	for _, s := range samples {
		if s.accuracy != nil && *s.accuracy < r.minAccuracy {
			accuracy = append(accuracy, *s.accuracy)
		}
		if s.latency != nil && *s.latency > r.maxLatency {
			latency = append(latency, *s.latency)
		}
		if s.drift != nil && *s.drift > r.maxDrift {
			drift = append(drift, *s.drift)
		}
	}
	switch {
	case accuracy != nil:
		return "accuracy", fmt.Sprintf("accuracy %.4f below threshold %.4f", slices.Min(accuracy), r.minAccuracy)
	case latency != nil:
		return "latency", fmt.Sprintf("latency %.2fms above threshold %.2fms", slices.Max(latency), r.maxLatency)
	case drift != nil:
		return "drift", fmt.Sprintf("drift %.4f above threshold %.4f", slices.Max(drift), r.maxDrift)
	}
	return "", ""
}

func (r *reference) trigger(now time.Time, rule, reason, by string) {
	r.requested++
	r.last, r.flight, r.deadline, r.scheduled = now, r.requested, now.Add(r.timeout), false
	r.ofVersion[r.requested] = r.events > 0
	r.write("triggered", rule, reason, r.requested, by, "")
}

func (r *reference) mayRetrain(now time.Time, force bool) bool {
	return !r.stopped && !r.paused && r.flight == 0 && (force || !now.Before(r.cooldownEnd()))
}

// end ends the flight of a retraining.
func (r *reference) end(kind, message string) {
	id := r.flight
	r.flight = 0
	r.ended = append(r.ended, id)
	r.ends[id] = kind
	r.record(kind, message, id)
}

func (r *reference) record(kind, message string, id int) {
	switch kind {
	case "accepted":
		r.accepted++
	case "succeeded":
		r.succeeded++
		r.superseded = r.superseded || r.ofVersion[id]
	default:
		r.failed++
	}
	r.write(kind, "", message, id, "", "")
}

func (r *reference) answered(id int, followed bool) {
	if id != r.flight || id == 0 {
		return
	}
	r.scheduled = true
	if !followed {
		r.end("accepted", "scheduled by log")
	}
}

func (r *reference) outcome(id int, kind, message string) {
	if id == r.flight && id != 0 {
		r.end(kind, message)
		return
	}
	switch remembered := r.ended[max(0, len(r.ended)-20):]; {
	case !slices.Contains(remembered, id):
		r.rejected++
	case r.ends[id] == "accepted":
		r.ends[id] = kind
		r.record(kind, message, id)
	case r.ends[id] != kind:
		r.rejected++
	}
}

func (r *reference) tick(now time.Time) {
	if r.flight != 0 && !now.Before(r.deadline) {
		r.end("timed_out", "") // its words are tested elsewhere
	}
}

// isNews says whether a batch is to be looked at. A publisher is remembered for
// 48 h after its last word; nobody here is silent for longer.
func (r *reference) isNews(now time.Time, publisher string, number int64, digests int) bool {
	last, known := r.numbers[publisher]
	known = known && now.Sub(r.words[publisher]) <= 48*time.Hour
	if known && number <= last {
		r.duplicates += int64(digests)
		return false
	}
	if known {
		r.gaps += number - last - 1
	}
	r.numbers[publisher], r.words[publisher] = number, now
	return true
}

func (r *reference) phase(now time.Time) string {
	switch {
	case r.stopped:
		return "stopping"
	case r.paused:
		return "paused"
	case r.flight != 0:
		return "retraining"
	case now.Before(r.cooldownEnd()):
		return "cooling_down"
	}
	return "watching"
}

func (r *reference) write(kind, rule, reason string, id int, by, suppressedBy string) {
	r.log = append(r.log, line(kind, rule, reason, requestID(id), by, suppressedBy))
}

func requestID(id int) string {
	if id == 0 {
		return ""
	}
	return fmt.Sprintf("model-monitor/fraud/run/%d", id)
}

func line(kind, rule, reason, requestID, by, suppressedBy string) string {
	switch kind { // the retraining says what an end was about
	case "accepted", "succeeded", "failed":
		rule = ""
	case "timed_out":
		rule, reason = "", ""
	}
	return fmt.Sprintf("%s|%s|%s|%s|%s|%s", kind, rule, reason, requestID, by, suppressedBy)
}
