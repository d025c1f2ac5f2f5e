package main

import (
	"context"
	"encoding/json"
	"time"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/metric/metrictest"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor"
)

func succeeded(n int64) func(monitor.Status) bool {
	return func(s monitor.Status) bool { return s.Retrainings.Succeeded == n }
}

// lives are the recordings by name.
var lives = map[string]func(ctx context.Context, r *recorder) error{
	"followed-to-success": func(ctx context.Context, r *recorder) error {
		if err := r.events(ctx, 0.95, 0.8, 0.7); err != nil {
			return err
		}
		if err := r.until(ctx, succeeded(1)); err != nil {
			return err
		}
		return r.events(ctx, 0.8, 0.95)
	},
	"policy-cooldown-and-second-retraining": func(ctx context.Context, r *recorder) error {
		if err := r.events(ctx, 0.95); err != nil {
			return err
		}
		policy := json.RawMessage(`{"rules": [{"metric": "accuracy", "below": 0.9}], "cooldown": "3s", "retraining": {"backend": "accepts"}}`)
		if err := r.update(ctx, "policy", contract.UpdateSetPolicy, policy); err != nil {
			return err
		}
		if err := r.events(ctx, 0.8, 0.8); err != nil {
			return err
		}
		if err := r.until(ctx, func(s monitor.Status) bool {
			return s.Retrainings.Accepted == 1 && s.Phase == contract.PhaseWatching
		}); err != nil {
			return err
		}
		if err := r.events(ctx, 0.8); err != nil {
			return err
		}
		return r.until(ctx, func(s monitor.Status) bool { return s.Retrainings.Accepted == 2 })
	},
	"refused-then-forced-then-stopped": func(ctx context.Context, r *recorder) error {
		if err := r.events(ctx, 0.95); err != nil {
			return err
		}
		if err := r.update(ctx, "refusing", contract.UpdateSetPolicy, json.RawMessage(`{"retraining": {"backend": "refuses"}}`)); err != nil {
			return err
		}
		if err := r.events(ctx, 0.8); err != nil {
			return err
		}
		if err := r.until(ctx, func(s monitor.Status) bool { return s.Retrainings.Failed == 1 }); err != nil {
			return err
		}
		if err := r.update(ctx, "mended", contract.UpdateSetPolicy, json.RawMessage(`{"retraining": {"backend": "follows"}}`)); err != nil {
			return err
		}
		for _, step := range []struct{ id, name string }{
			{"pause", contract.UpdatePause},
			{"resume", contract.UpdateResume},
			{"retrain", contract.UpdateRetrain},
			{"retrain", contract.UpdateRetrain},
			{"stop", contract.UpdateStop},
		} {
			if err := r.update(ctx, step.id, step.name, monitor.Control{By: "recorder", Reason: "for the record", Force: true}); err != nil {
				return err
			}
		}
		return r.client.GetWorkflow(ctx, contract.WorkflowID(r.model), "").Get(ctx, nil)
	},
	"outcome-told-and-poison": func(ctx context.Context, r *recorder) error {
		for name, payload := range map[string]any{
			contract.SignalMetric: "poison", "unheard-of": 1, contract.SignalMetricDigest: []byte("binary"),
		} {
			if err := r.signal(ctx, name, payload); err != nil {
				return err
			}
		}
		if err := r.update(ctx, "policy", contract.UpdateSetPolicy, json.RawMessage(`{"retraining": {"backend": "accepts"}}`)); err != nil {
			return err
		}
		if err := r.events(ctx, 0.8); err != nil {
			return err
		}
		var id string
		if err := r.until(ctx, func(s monitor.Status) bool {
			if s.Retrainings.Accepted == 1 {
				id = s.Decisions[len(s.Decisions)-1].RequestID
			}
			return id != ""
		}); err != nil {
			return err
		}
		outcome := modelops.Outcome{RequestID: id, State: modelops.Succeeded, ModelVersion: "v2"}
		if err := r.signal(ctx, contract.SignalRetrainingOutcome, outcome); err != nil {
			return err
		}
		return r.until(ctx, succeeded(1))
	},
	"digests-and-a-redelivery": func(ctx context.Context, r *recorder) error {
		now := time.Now().UTC()
		event := metric.NewEvent(r.model, "v1", 0.8, 120, 0.02)
		batch := metric.Batch{
			Version: metric.BatchVersion, ModelName: r.model, Publisher: "recorder", Sequence: 1,
			Digests: []*metric.Digest{metrictest.DigestOf(&event, now)},
		}
		for range 2 {
			if err := r.signal(ctx, contract.SignalMetricDigest, batch); err != nil {
				return err
			}
		}
		return r.until(ctx, succeeded(1))
	},
	// Its last run begins with a state: cooldown, counters and decisions cross over.
	"continued-as-new": func(ctx context.Context, r *recorder) error {
		if err := r.events(ctx, 0.8); err != nil {
			return err
		}
		if err := r.until(ctx, succeeded(1)); err != nil {
			return err
		}
		first, err := r.run(ctx)
		if err != nil {
			return err
		}
		sent := int64(1)
		for now := first; now == first; { // until the run has taken all that one takes
			for range 50 {
				if err := r.events(ctx, 0.95); err != nil {
					return err
				}
				sent++
			}
			now, err = r.run(ctx)
			if err != nil {
				return err
			}
		}
		if err := r.until(ctx, func(s monitor.Status) bool { return s.Events == sent }); err != nil {
			return err
		}
		return r.events(ctx, 0.8)
	},
}
