package e2e

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/monitor"
)

// Twenty models are retrained, and the worker is killed at a random moment of each:
// each request is one job, by whichever backend. (The Kubernetes and Airflow
// backends are held to it in folders of their own.)
func TestAWorkerKilledAtAnyMomentStartsEachRetrainingOnce(t *testing.T) {
	patience.Long(t)
	const kills = 20
	tr := startPipeline(t)
	const training = "kill-training"
	trainer := worker.New(server.Client(), training, worker.Options{})
	trainer.RegisterWorkflowWithOptions(train, workflow.RegisterOptions{Name: "Train"})
	require.NoError(t, trainer.Start())
	t.Cleanup(trainer.Stop)
	for name, env := range map[string][]string{
		"webhook":  webhookEnv(tr),
		"temporal": {"MODELOPS_BACKEND=temporal", "MODELOPS_TEMPORAL_WORKFLOW_TYPE=Train", "MODELOPS_TEMPORAL_TASK_QUEUE=" + training, "MODELOPS_POLL_INTERVAL=200ms"},
	} {
		t.Run(name, func(t *testing.T) {
			queue := "kill-" + name
			seed := uint64(time.Now().UnixNano())
			t.Logf("seed %d", seed)
			random := rand.New(rand.NewPCG(seed, 1))
			p := startWorker(t, queue, env...)
			var events strings.Builder
			for i := range kills {
				fmt.Fprintln(&events, breach(fmt.Sprintf("kill-%s-%d", name, i)))
			}
			published := make(chan error, 1)
			go func() {
				_, stderr, code := starter(t, queue, events.String(), "publish", "--file", "-")
				if code != 0 {
					published <- errors.New(stderr)
				}
				close(published)
			}()
			for range kills {
				time.Sleep(time.Duration(random.Int64N(int64(200 * time.Millisecond)))) // the moment is the test
				p.kill()
				p = startWorker(t, queue, env...)
			}
			require.NoError(t, <-published)
			for i := range kills {
				model := fmt.Sprintf("kill-%s-%d", name, i)
				s := until(t, model, "its retraining is taken", func(s monitor.Status) bool {
					if name == "webhook" {
						tr.finish()
					}
					return s.Retrainings.Succeeded == 1
				})
				assert.EqualValues(t, 1, s.Retrainings.Requested, model)
			}
		})
	}
	for id, n := range tr.asked() { // a trainer takes the same id for the same job; asking again is rare
		assert.LessOrEqual(t, n, kills, id)
	}
	assert.Len(t, tr.asked(), kills)
}
