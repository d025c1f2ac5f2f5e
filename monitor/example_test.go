package monitor_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/modelvigil/modelvigil/monitor"
)

// A policy with one threshold changed, as code and on the wire.
func ExamplePolicy_With() {
	policy := monitor.Policy{}.With(monitor.Below(monitor.Accuracy, 0.95)).WithCooldown(30 * time.Minute)
	encoded, _ := json.Marshal(policy.Rules[0])
	fmt.Println(string(encoded), policy.Cooldown.Or(0))
	// Output: {"name":"accuracy","metric":"accuracy","below":0.95} 30m
}

// What is wrong with a policy is said at once, and where.
func ExampleDecodePolicy() {
	_, err := monitor.DecodePolicy([]byte(`{"rules": [{"metric": "auc"}], "cooldwn": "1h"}`))
	fmt.Println(err)
	// Output:
	// cooldwn: unknown field; the fields are approval, blackout, cooldown, dry_run, max_failures, notify, owner, retraining, rules, superseded, team, verify, version
	// rules[0]: must have exactly one of below and above, or of below_baseline_by, above_baseline_by, change, all_of, any_of, not, max_age and silent_for, got none
}

// An event with the readings that were taken, and no others.
func ExampleMetricEvent() {
	event := monitor.MetricEvent{
		Timestamp: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		ModelName: "fraud", ModelVersion: "v7",
		LatencyMS: monitor.Some(84.0),
		Metrics:   map[string]float64{"auc": 0.91},
	}
	encoded, _ := json.Marshal(event)
	fmt.Println(string(encoded))
	// Output: {"timestamp":"2026-03-01T12:00:00Z","model_name":"fraud","model_version":"v7","latency_ms":84,"metrics":{"auc":0.91}}
}

// The machine by itself, as the workflow and a backtest run it.
func ExampleMachine() {
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	machine := monitor.NewMachine("fraud", "backtest", monitor.Policy{})
	machine.OnDecision = func(d monitor.Decision) {
		fmt.Println(d.At.Format(time.TimeOnly), d.Kind, cmp.Or(string(d.SuppressedBy), d.Reason))
	}
	for _, minute := range []time.Duration{0, 30, 60} {
		now := start.Add(minute * time.Minute)
		machine.Observe(now, &monitor.MetricEvent{ModelName: "fraud", Accuracy: monitor.Some(0.8)})
		if flight := machine.Wants(now).Schedule; flight != nil {
			machine.Scheduled(now, flight.RequestID, monitor.Job{Backend: "log"})
		}
	}
	// Output:
	// 12:00:00 triggered accuracy 0.8000 below threshold 0.9000
	// 12:00:00 accepted scheduled by log
	// 12:30:00 suppressed cooldown
	// 13:00:00 triggered accuracy 0.8000 below threshold 0.9000
	// 13:00:00 accepted scheduled by log
}

func ExampleWorkflowID() {
	id := monitor.WorkflowID("fraud 100%")
	name, _ := monitor.ModelName(id)
	fmt.Println(id, "watches", name)
	// Output: model-monitor/fraud%20100%25 watches fraud 100%
}

// The three kinds of error are told apart through whatever wraps them.
func ExampleModelOpsError() {
	err := fmt.Errorf("retrain fraud: %w", &monitor.ModelOpsError{
		Backend: "webhook", RequestID: "model-monitor/fraud/5b9a/1", Final: true, Err: errors.New("no such pipeline"),
	})
	var ops *monitor.ModelOpsError
	fmt.Println(errors.As(err, &ops) && ops.Final, errors.Is(err, monitor.ErrHubClosed))
	// Output: true false
}
