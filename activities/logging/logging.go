// Package logging is the backend named "log": it writes each retraining request
// to a log and leaves the rest to whoever reads it. It is what a worker uses
// until it is told of something that trains models.
package logging

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"

	"github.com/modelvigil/modelvigil/modelops"
)

// Backend logs retraining requests. Its zero value is ready to use.
type Backend struct {
	Logger *slog.Logger // nil means slog.Default()
}

var _ modelops.ModelOps = Backend{}

// ScheduleRetraining logs the request, under the names that its fields have in
// JSON; what it does not hold is left out. The job's id is the request's, and
// the job can't be followed. The only error is of params that are not JSON.
func (b Backend) ScheduleRetraining(ctx context.Context, request modelops.Request) (modelops.Job, error) {
	attributes := []slog.Attr{
		slog.String("request_id", request.RequestID),
		slog.String("model_name", request.ModelName),
		slog.String("model_version", request.ModelVersion),
		slog.String("reason", request.Reason),
		slog.String("rule", request.Rule),
	}
	if request.Metric != "" {
		attributes = append(attributes, slog.String("metric", request.Metric))
	}
	if value := request.Value; value != nil {
		attributes = append(attributes, slog.Float64("value", *value))
	}
	if threshold := request.Threshold; threshold != nil {
		attributes = append(attributes, slog.Float64("threshold", *threshold))
	}
	attributes = append(attributes, slog.Time("triggered_at", request.TriggeredAt))
	if len(request.Params) > 0 {
		params, err := json.Marshal(request.Params)
		if err != nil {
			return modelops.Job{}, modelops.Final(fmt.Errorf("log retraining of %s: params: %w", request.ModelName, err))
		}
		attributes = append(attributes, slog.String("params", string(params)))
	}

	logger := b.Logger
	if logger == nil {
		logger = slog.Default()
	}
	logger.LogAttrs(ctx, slog.LevelInfo, "retraining requested", attributes...)
	return modelops.Job{ID: request.RequestID}, nil
}
