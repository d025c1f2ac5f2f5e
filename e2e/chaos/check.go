package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/monitor"
)

// record is what is known of one model at the end of a run.
type record struct {
	model    string
	status   monitor.Status
	jobs     []job // what the trainer got
	cooldown time.Duration
	calm     time.Time // when the faults were over; breaches went on for minutes more
}

// check holds a record and what senders said against the invariants of the
// design, and returns each violation.
func check(r record, said []*claim) (violations []string) {
	fault := func(format string, args ...any) {
		violations = append(violations, r.model+": "+fmt.Sprintf(format, args...))
	}
	s := r.status

	// 2. Every acknowledged event is counted once, every rejected one too.
	for _, c := range said {
		if c.model != "" && c.model != r.model {
			continue
		}

		counted := s.Versions["v1"].Metrics[c.mark].Count
		if c.mark == rejected {
			counted = s.Rejected
		}
		switch {
		case counted < c.acked:
			fault("%s: %d acknowledged events lost: %d acknowledged, %d counted", c.mark, c.acked-counted, c.acked, counted)
		case counted > c.tried:
			fault("%s: %d events counted twice: %d sent, %d counted", c.mark, counted-c.tried, c.tried, counted)
		}
	}

	if s.Gaps != 0 {
		fault("%d batches of a publisher never came", s.Gaps)
	}
	if s.Overflow != 0 {
		fault("%d readings were not kept: the run had too many publishers to be checked", s.Overflow)
	}

	// 1. One retraining at a time, none closer than the cooldown, each asked for once.
	jobs := slices.Clone(r.jobs)
	slices.SortFunc(jobs, func(a, b job) int { return a.request.TriggeredAt.Compare(b.request.TriggeredAt) })
	for i := 1; i < len(jobs); i++ {
		before, after := jobs[i-1], jobs[i]
		if apart := after.request.TriggeredAt.Sub(before.request.TriggeredAt); apart < r.cooldown {
			fault("%s and %s were triggered %v apart, within the cooldown of %v", before.request.RequestID, after.request.RequestID, apart, r.cooldown)
		}
		if after.began.Before(before.began.Add(jobTime)) {
			fault("%s was asked for while %s was in flight", after.request.RequestID, before.request.RequestID)
		}
	}

	if requested := s.Retrainings.Requested; requested != int64(len(jobs)) && s.Current == nil {
		fault("%d retrainings were decided, %d different ones asked for", requested, len(jobs))
	}
	if r := s.Retrainings; r.Failed != 0 || r.Cancelled != 0 {
		fault("%d retrainings failed and %d were cancelled, though the trainer lets each succeed in the end", r.Failed, r.Cancelled)
	}
	if !slices.ContainsFunc(jobs, func(j job) bool { return j.request.TriggeredAt.After(r.calm) }) {
		fault("breaches went on for %v after the faults, and nothing was triggered", patience.Limit)
	}

	// 3. Every breach triggers, or is suppressed for a reason.
	explained := s.Retrainings.Requested
	for _, n := range s.Suppressed {
		explained += n
	}
	if s.Breaches != explained {
		fault("%d breaches, but %d retrainings and suppressions", s.Breaches, explained)
	}

	// 5. State is bounded. (4, the same inputs give the same decisions, is replay's.)
	if encoded, err := json.Marshal(s); err != nil || len(encoded) > monitor.MaxStateBytes {
		fault("status of %d bytes, above %d (%v)", len(encoded), monitor.MaxStateBytes, err)
	}
	return violations
}
