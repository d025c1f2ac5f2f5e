package rehearse

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/modelvigil/modelvigil/backtest"
	"github.com/modelvigil/modelvigil/backtest/recording"
	"github.com/modelvigil/modelvigil/metric"
)

// DefaultModelName is whose events are that name no model, where nobody says.
const DefaultModelName = "rehearsal"

// Options say how to rehearse.
type Options struct {
	// ModelName is whose the events are that name no model, where the policy has no
	// name either; default DefaultModelName. The first event then says whose all are.
	ModelName string
	// ApproveAfter, where set, is how long an operator takes to approve a trigger that
	// waits for it; without it nobody answers.
	ApproveAfter metric.Optional[time.Duration]
	// KeepEvents keeps the events of each run, for a report.
	KeepEvents bool
	// OnRejection, where set, hears of each line that could not be taken and of each
	// outcome that fits no retraining, from any goroutine. Its file is the policy's label.
	OnRejection func(*recording.Rejection)
	// Stderr, where set, is the programs' standard error.
	Stderr io.Writer
}

// Result is what became of a program under a policy.
type Result struct {
	backtest.Result
	Metrics  map[string]Mean  `json:"metrics"` // over all events of the run
	Under    backtest.Policy  `json:"-"`       // or the yardstick's
	Recorded *recording.Model `json:"-"`       // with Options.KeepEvents
}

// Run runs the command once for each policy, as many at once as there are
// processors, and then for each yardstick, which measure the first policy. The
// policies must be valid, and there must be one. Results come in that order. A
// program that ends with an error fails the whole run.
func Run(ctx context.Context, policies []backtest.Policy, yardsticks []Yardstick, command []string, options Options) ([]Result, error) {
	options.Stderr = shared(options.Stderr)
	results, err := runAll(ctx, policies, command, &options)
	if err != nil || len(yardsticks) == 0 {
		return results, err
	}

	made := make([]backtest.Policy, len(yardsticks))
	for i, yardstick := range yardsticks {
		made[i] = yardstick.policy(policies[0], &results[0])
	}
	measured, err := runAll(ctx, made, command, &options)
	return append(results, measured...), err
}

func runAll(ctx context.Context, policies []backtest.Policy, command []string, options *Options) ([]Result, error) {
	results := make([]Result, len(policies))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, policy := range policies {
		group.Go(func() error {
			result, err := perform(ctx, policy, command, options)
			if err != nil {
				return fmt.Errorf("under %s: %w", policy.Label, err)
			}
			results[i] = *result
			return nil
		})
	}

	return results, group.Wait()
}
