package airflow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/modelvigil/modelvigil/modelops"
)

var _ modelops.Checker = (*Backend)(nil)

// Check says whether Airflow takes the credentials, the DAG is there and not paused,
// and a scheduler runs. Whether the user may start runs only a run would show.
func (b *Backend) Check(ctx context.Context) error {
	var faults []error
	if err := b.ready(ctx); err != nil {
		faults = append(faults, fmt.Errorf("look at %s: %w", b.where, err))
	}
	var health struct {
		Scheduler struct {
			Status string `json:"status"`
		} `json:"scheduler"`
	}
	err := b.connection.call(ctx, http.MethodGet, "/api/v2/monitor/health", nil, nil, &health)
	if status := cmp.Or(health.Scheduler.Status, "not there"); err == nil && status != "healthy" {
		faults = append(faults, fmt.Errorf("the scheduler of %s is %s, and a run would wait for it; see to its process", b.where, status))
	}
	return errors.Join(faults...)
}
