package journal

// Counters count since the monitor was started.
type Counters struct {
	Events      int64                 `json:"events"`     // folded into digests or sent one by one
	Digests     int64                 `json:"digests"`    // received in batches
	Signals     int64                 `json:"signals"`    // of every kind
	Duplicates  int64                 `json:"duplicates"` // digests redelivered, and dropped
	Gaps        int64                 `json:"gaps"`       // batches that a publisher numbered but that never came
	Rejected    int64                 `json:"rejected"`   // observations that could not be read, or made no sense
	Overflow    int64                 `json:"overflow"`   // readings that were judged but not kept, and versions forgotten, for want of room
	Breaches    int64                 `json:"breaches"`   // moments at which a rule that may trigger breached; one put off by a blackout counts again at its end
	Suppressed  map[Suppression]int64 `json:"suppressed"` // of Breaches, those that did not trigger
	Retrainings RetrainingCounters    `json:"retrainings"`
	Notices     NoticeCounters        `json:"notices"`
}

// RetrainingCounters count retrainings by what became of them.
type RetrainingCounters struct {
	Requested int64 `json:"requested"`
	Accepted  int64 `json:"accepted"` // by a backend that can't be followed
	Succeeded int64 `json:"succeeded"`
	Failed    int64 `json:"failed"` // timed-out ones too
	Cancelled int64 `json:"cancelled"`
}

// CountSuppressed counts a breach that did not trigger.
func (c *Counters) CountSuppressed(by Suppression) {
	if c.Suppressed == nil {
		c.Suppressed = map[Suppression]int64{}
	}
	c.Suppressed[by]++
}

// NoticeCounters count notices by what became of them.
type NoticeCounters struct {
	Requested int64 `json:"requested"`
	Delivered int64 `json:"delivered"`
	Failed    int64 `json:"failed"`
	// LastFailure is why the last of Failed was.
	LastFailure string `json:"last_failure,omitempty"`
}

// RetrainingCounters count retrainings by what became of them.
func (j *Journal) RetrainingCounters() *RetrainingCounters { return &j.entries.Counters.Retrainings }

// CountSuppressed counts a breach that did not trigger.
func (j *Journal) CountSuppressed(by Suppression) { j.entries.Counters.CountSuppressed(by) }
