package activities

import (
	"context"

	"go.temporal.io/sdk/activity"

	"github.com/modelvigil/modelvigil/metric/drift"
)

// Bounds finds the bounds of drift rules.
type Bounds struct{}

// FindBounds finds the bounds of null distributions, for periods of all sizes: some
// seconds of computing each.
func (*Bounds) FindBounds(ctx context.Context, nulls []drift.Null) ([]drift.Bounds, error) {
	found := make([]drift.Bounds, len(nulls))
	for i := range nulls {
		for _, size := range drift.Sizes() {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			activity.RecordHeartbeat(ctx, i)
			found[i] = append(found[i], nulls[i].Bound(size))
		}
	}
	return found, nil
}
