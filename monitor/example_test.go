package monitor_test

import (
	"cmp"
	"fmt"
	"time"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// The machine by itself, as the workflow and a backtest run it.
func ExampleMachine() {
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	machine := monitor.NewMachine("fraud", "backtest", policy.Policy{})
	machine.OnDecision = func(d monitor.Decision) {
		fmt.Println(d.At.Format(time.TimeOnly), d.Kind, cmp.Or(string(d.SuppressedBy), d.Reason))
	}
	for _, minute := range []time.Duration{0, 30, 60} {
		now := start.Add(minute * time.Minute)
		machine.Observe(now, &metric.Event{ModelName: "fraud", Accuracy: metric.Some(0.8)})
		if flight := machine.Wants(now).Schedule; flight != nil {
			machine.TakeJob(now, flight.RequestID, modelops.Job{Backend: "log"})
		}
	}
	// Output:
	// 12:00:00 triggered accuracy 0.8000 below threshold 0.9000
	// 12:00:00 accepted scheduled by log
	// 12:30:00 suppressed cooldown
	// 13:00:00 triggered accuracy 0.8000 below threshold 0.9000
	// 13:00:00 accepted scheduled by log
}
