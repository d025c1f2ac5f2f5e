package main

import (
	"strconv"
	"time"

	"github.com/modelvigil/modelvigil/backtest"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/policy"
)

const modelName = "budgets"

// A sample is a minute. The stream begins at no round hour, so that the concept
// does not turn just where a period of the policy ends.
var begins = time.Date(2026, time.January, 1, 0, 37, 0, 0, time.UTC)

// wholeStream is a time that no stream outlasts: a budget in it is one for all.
const wholeStream = policy.Duration(samples * time.Minute)

// watched lets the decision machine of production decide.
type watched struct {
	simulator *backtest.Simulator
	event     metric.Event
	latency   int
	requestID string // of the retraining under way; empty without
	ends      int    // the sample at which it does
	wanted    bool
	versions  int
}

// Under is the schedule of a policy, under the budget of each cell.
func Under(wanted policy.Policy) func(Cell) Schedule {
	return func(c Cell) Schedule { return newWatched(wanted, c) }
}

func newWatched(wanted policy.Policy, c Cell) *watched {
	wanted.Budget = &policy.Budget{Retrainings: c.Budget, Per: wholeStream}
	s := &watched{latency: c.latency()}
	s.event.ModelName = modelName
	s.event.ModelVersion = "0"
	s.simulator = backtest.NewSimulator(modelName, wanted, backtest.Options{Backend: func(request modelops.Request) {
		s.requestID = request.RequestID
		s.wanted = true
	}})
	return s
}

// Retrain hears of a prediction, whether it was right, of the version that serves. A retraining
// succeeds when its latency is over, though the new version serves before that, as
// in the benchmark.
func (s *watched) Retrain(t int, right bool) bool {
	s.event.Timestamp = begins.Add(time.Duration(t) * time.Minute)
	hit := 0.0
	if right {
		hit = 1
	}
	s.event.Accuracy = metric.Some(hit)
	s.simulator.Observe(&s.event, time.Time{})
	if s.requestID != "" && !s.wanted && t >= s.ends {
		s.simulator.Outcome(modelops.Outcome{RequestID: s.requestID, State: modelops.Succeeded, ModelVersion: s.event.ModelVersion})
		s.requestID = ""
	}

	if !s.wanted {
		return false
	}

	s.wanted = false
	s.ends = t + s.latency
	s.versions++
	s.event.ModelVersion = strconv.Itoa(s.versions)
	return true
}
