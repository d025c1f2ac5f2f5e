package activities

import (
	"context"

	"go.temporal.io/sdk/activity"

	"github.com/modelvigil/modelvigil/metric/drift"
)

// Bounds finds the bounds of drift rules.
type Bounds struct{}

// FindBounds finds the bounds of null distributions, for periods of all sizes: a second of
// computing each, and of the rarest alarms a minute or two. Each heartbeat carries what
// was found, and an attempt goes on where the one before has ended.
func (*Bounds) FindBounds(ctx context.Context, nulls []drift.Null) ([]drift.Bounds, error) {
	var found []drift.Bounds
	if activity.HasHeartbeatDetails(ctx) && activity.GetHeartbeatDetails(ctx, &found) != nil {
		found = nil // of another release: it is found again
	}

	for len(found) < len(nulls) {
		var bounds drift.Bounds
		for _, size := range drift.Stretches() {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			bounds = bounds.With(nulls[len(found)].Find(size))
			activity.RecordHeartbeat(ctx, found)
		}
		found = append(found, bounds)
	}
	return found, nil
}
