package monitor

import (
	"time"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/clock"
	"github.com/modelvigil/modelvigil/monitor/journal"
)

// updateRecord is an update that was handled, kept so that the same id sent
// again, in whatever run, gets the same answer and changes nothing.
type updateRecord struct {
	ID     string       `json:"id"`
	Result UpdateResult `json:"result"`
	At     time.Time    `json:"at,omitzero"` // when it was handled
}

// UpdateResult is the answer to every update.
type UpdateResult struct {
	Phase     contract.Phase `json:"phase"`                // after the update
	RequestID string         `json:"request_id,omitempty"` // of the retraining it started
}

// updates are the last that were handled, oldest first.
type updates []updateRecord

const maxUpdates = 100

// Recall returns the answer that an update of this id got, if it was handled.
func (u *updates) Recall(updateID string) (UpdateResult, bool) {
	for _, update := range *u {
		if update.ID == updateID {
			return update.Result, true
		}
	}
	return UpdateResult{}, false
}

// Remember keeps an update's answer for when the same id comes again.
func (u *updates) Remember(now time.Time, updateID string, result UpdateResult) {
	*u = journal.KeepLast(append(*u, updateRecord{updateID, result, clock.Plain(now)}), maxUpdates)
}

// RememberedSince is from when on every update is remembered; zero where none was
// forgotten yet.
func (u *updates) RememberedSince() time.Time {
	if len(*u) < maxUpdates {
		return time.Time{}
	}
	return (*u)[0].At
}
