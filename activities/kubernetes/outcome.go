package kubernetes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/modelvigil/modelvigil/activities/kubernetes/cluster"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/modelops"
)

// RetrainingOutcome asks once whether the Job has ended, and how. While it hasn't,
// the error says what its pods wait for. It is final that there is no such Job: it
// was deleted by hand.
func (b *Backend) RetrainingOutcome(ctx context.Context, request modelops.Request, _ modelops.Job) (modelops.Outcome, error) {
	name := cluster.Name(request)
	outcome, err := b.outcome(ctx, name, request)
	if err != nil {
		return modelops.Outcome{}, fmt.Errorf("ask after Job %s in %s: %w", name, b.cluster.Where, err)
	}
	return outcome, nil
}

func (b *Backend) outcome(ctx context.Context, name string, request modelops.Request) (modelops.Outcome, error) {
	job, err := b.get(ctx, name)
	switch {
	case apierrors.IsNotFound(err):
		return modelops.Outcome{}, fmt.Errorf("%w (has it been deleted, or is the backend configured for another namespace now?)", err)
	case err != nil:
		return modelops.Outcome{}, err
	}

	if err := ours(job, request); err != nil {
		return modelops.Outcome{}, err
	}

	switch success, failure := condition(job, batchv1.JobComplete, batchv1.JobSuccessCriteriaMet), condition(job, batchv1.JobFailed); {
	case success != nil:
		return b.succeeded(ctx, job)
	case failure != nil:
		return b.failed(ctx, job, failure)
	case job.DeletionTimestamp != nil:
		return modelops.Outcome{}, fmt.Errorf("%w: the Job is being deleted", modelops.ErrRunning)
	case isOn(job.Spec.Suspend):
		return modelops.Outcome{}, fmt.Errorf("%w: the Job is suspended; it begins when its spec.suspend is set to false, by a queue or by hand", modelops.ErrRunning)
	case job.Status.Active > 0 && job.Status.Ready != nil && *job.Status.Ready == job.Status.Active:
		return modelops.Outcome{}, modelops.ErrRunning
	}

	pods, err := b.pods(ctx, job)
	if err != nil {
		return modelops.Outcome{}, fmt.Errorf("%w: its pods can't be read: %w", modelops.ErrRunning, stripped(err))
	}

	return modelops.Outcome{}, fmt.Errorf("%w: %s", modelops.ErrRunning, b.progress(job, pods))
}

func isOn(b *bool) bool { return b != nil && *b }

// stripped keeps an error's words, and not what it means: the Job still runs.
func stripped(err error) error { return errors.New(err.Error()) }

// condition is the first of a Job's conditions that holds and is of one of these types.
func condition(job *batchv1.Job, types ...batchv1.JobConditionType) *batchv1.JobCondition {
	for i, c := range job.Status.Conditions {
		if c.Status == corev1.ConditionTrue && slices.Contains(types, c.Type) {
			return &job.Status.Conditions[i]
		}
	}
	return nil
}

func hasEnded(job *batchv1.Job) bool {
	return condition(job, batchv1.JobComplete, batchv1.JobSuccessCriteriaMet, batchv1.JobFailed) != nil
}

// succeeded is the outcome of a Job that has: what its pods say, and its annotation,
// which counts more. Pods that can't be read don't make it less of a success.
func (b *Backend) succeeded(ctx context.Context, job *batchv1.Job) (modelops.Outcome, error) {
	outcome := modelops.Outcome{State: modelops.Succeeded}
	pods, err := b.pods(ctx, job)
	switch {
	case modelops.IsFinal(err):
		outcome.Message = plain.Excerpt("its pods' words can't be read: "+err.Error(), cluster.MaxMessageBytes)
	case err != nil:
		return outcome, fmt.Errorf("read the pods' words: %w", err)
	default:
		outcome = cluster.Result(b.lastWord(pods))
	}

	if version := job.Annotations[b.config.ModelVersionAnnotation]; version != "" {
		outcome = cluster.WithVersion(outcome, version)
	}
	return outcome, nil
}

// failed is the outcome of a Job that has: why, and the last failed pod's words.
func (b *Backend) failed(ctx context.Context, job *batchv1.Job, failure *batchv1.JobCondition) (modelops.Outcome, error) {
	why := strings.TrimSuffix(strings.Join(present(failure.Reason, failure.Message), ": "), ".")
	pods, err := b.pods(ctx, job)
	switch {
	case modelops.IsFinal(err):
		why += "; its pods' words can't be read: " + err.Error()
	case err != nil:
		return modelops.Outcome{}, fmt.Errorf("read the pods' words: %w", err)
	default:
		if words := b.lastFailure(pods); words != "" {
			why = words + " (" + why + ")"
		}
	}

	return modelops.Outcome{State: modelops.Failed, Message: plain.Excerpt(why, cluster.MaxMessageBytes)}, nil
}

// maxPods bounds how many pods of a Job are read; more say nothing more.
const maxPods = 500

// pods are a Job's, the one that was last to begin first.
func (b *Backend) pods(ctx context.Context, job *batchv1.Job) ([]corev1.Pod, error) {
	var list corev1.PodList
	err := b.core.List(ctx, "pods", metav1.FormatLabelSelector(job.Spec.Selector), maxPods, &list)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(list.Items, func(a, b corev1.Pod) int {
		return cmp.Or(b.CreationTimestamp.Compare(a.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	return list.Items, nil
}
