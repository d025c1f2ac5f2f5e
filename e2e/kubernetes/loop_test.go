package kubernetes

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/modelvigil/modelvigil/activities/kubernetes/cluster"
	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/e2e/kubernetes/controlplane"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// An event published, a Job in the cluster, its pod's end, and the outcome where an
// operator looks.
func TestARetrainingIsAJob(t *testing.T) {
	const queue = "kubernetes"
	p := newPlace(t, "ml-loop")
	startWorker(t, queue, p.environment...)
	tests := map[string]struct {
		end  corev1.ContainerStateTerminated
		kind policy.Kind
		said string // in status and in Temporal's UI
	}{
		"credit": {corev1.ContainerStateTerminated{Reason: "Completed", Message: `{"model_version": "v8", "message": "AUC 0.93"}`}, policy.Succeeded, "AUC 0.93"},
		"fraud":  {corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled"}, policy.Failed, "container train ended with exit code 137 (OOMKilled)"},
	}
	for model, test := range tests {
		t.Run(string(test.kind), func(t *testing.T) {
			starter(t, queue, "model_name: "+model+"\nretraining: {params: {epochs: 3}}\n", "apply", "-")
			starter(t, queue, "", "publish", "--model", model, "--version", "v7", "--accuracy", "0.8")
			flying := until(t, model, "the Job is created", func(s monitor.Status) bool { return s.Current != nil && s.Current.Job != nil })
			assert.Equal(t, "kubernetes", flying.Current.Job.Backend)
			jobs := p.jobs(t)[flying.Current.RequestID]
			require.Len(t, jobs, 1)
			job := jobs[0]
			assert.Equal(t, p.namespace+"/"+job.Name, flying.Current.Job.ID)
			assert.Equal(t, "accuracy 0.8000 below threshold 0.9000", job.Annotations[cluster.AnnotationReason])
			env := job.Spec.Template.Spec.Containers[0].Env
			assert.Contains(t, env, corev1.EnvVar{Name: "MODELVIGIL_MODEL_NAME", Value: model})
			assert.Contains(t, env, corev1.EnvVar{Name: "MODELVIGIL_PARAM_EPOCHS", Value: "3"})

			require.NoError(t, plane.Run(t.Context(), p.namespace, job.Name))
			require.NoError(t, plane.End(t.Context(), p.namespace, job.Name, test.end))
			done := until(t, model, "its outcome is recorded", func(s monitor.Status) bool { return s.Current == nil })
			last := done.Decisions[len(done.Decisions)-1]
			assert.Equal(t, test.kind, last.Kind)
			if test.kind == policy.Succeeded {
				assert.Equal(t, "v8", last.ModelVersion)
			}
			assert.Contains(t, starter(t, queue, "", "status", model, "-o", "json"), test.said)
			assert.Contains(t, temporal(t, "workflow", "metadata", "--workflow-id", contract.WorkflowID(model)), test.said)
		})
	}
}

// A retraining that an operator cancels leaves no Job behind.
func TestACancelledRetrainingIsDeletedThere(t *testing.T) {
	const queue, model = "kubernetes-cancel", "cancelled"
	p := newPlace(t, "ml-cancel")
	startWorker(t, queue, p.environment...)
	starter(t, queue, "", "publish", "--model", model, "--version", "v7", "--accuracy", "0.8")
	until(t, model, "the Job is created", func(s monitor.Status) bool { return s.Current != nil && s.Current.Job != nil })
	require.Len(t, p.jobs(t), 1)
	starter(t, queue, "", "cancel", model, "--reason", "wrong data")
	until(t, model, "it is cancelled", func(s monitor.Status) bool { return s.Retrainings.Cancelled == 1 })
	patience.Until(t, "its Job has gone", func() bool { return len(p.jobs(t)) == 0 })
}

// Whatever a worker was doing when it was killed, there is one Job for a request.
func TestAWorkerKilledAtAnyMomentMakesOneJobForARequest(t *testing.T) {
	const (
		queue   = "kubernetes-kill"
		kills   = 20
		longest = 600 * time.Millisecond // from publishing to the kill; a Job takes a tenth of it
	)
	p := newPlace(t, "ml-kill")
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	ended, early := map[string]bool{}, 0
	for i := range kills {
		worker := startWorker(t, queue, p.environment...)
		moment := time.After(time.Duration(random.Int64N(int64(longest))))
		published := make(chan error, 1)
		go func() { published <- publish(t.Context(), queue, fmt.Sprintf("kill-%d", i)) }()
		<-moment
		worker.kill()
		if len(p.jobs(t)) <= i {
			early++
		}
		require.NoError(t, <-published)
		if i%2 == 1 { // let some end meanwhile, so that a kill hits those that ask, too
			p.endAll(t, ended)
		}
	}
	t.Logf("%d kills with a Job still to be made, %d with all there", early, kills-early)
	startWorker(t, queue, p.environment...)
	for i := range kills {
		model := fmt.Sprintf("kill-%d", i)
		until(t, model, "its retraining has ended", func(s monitor.Status) bool {
			p.endAll(t, ended)
			return s.Retrainings.Succeeded == 1 && s.Retrainings.Requested == 1
		})
	}
	jobs := p.jobs(t)
	assert.Len(t, jobs, kills)
	for id, of := range jobs {
		assert.Len(t, of, 1, id)
	}
}

// endAll lets the pods of all Jobs that run succeed.
func (p place) endAll(t *testing.T, ended map[string]bool) {
	t.Helper()
	for id, jobs := range p.jobs(t) {
		for _, job := range jobs {
			if ended[job.Name] {
				continue
			}
			require.NoError(t, plane.Update(t.Context(), p.namespace, job.Name, func(pod *corev1.Pod) {
				controlplane.Ended(pod, corev1.ContainerStateTerminated{Message: id})
			}))
			ended[job.Name] = true
		}
	}
}

// publish publishes an event that breaches.
func publish(ctx context.Context, queue, model string) error {
	cmd := exec.CommandContext(ctx, starterPath, "publish", "--model", model, "--version", "v7", "--accuracy", "0.8")
	cmd.Env = append(os.Environ(), environment(queue)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

func temporal(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command(temporalPath, append(args, "--address", server.FrontendHostPort())...).CombinedOutput()
	require.NoError(t, err, "temporal %s\n%s", strings.Join(args, " "), out)
	return string(out)
}
