package kubernetes_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/modelops"
)

func TestWhatAPodSaysIsTheOutcome(t *testing.T) {
	p := newPlace(t)
	b := newBackend(t, p.config())
	succeeded, failed := modelops.Succeeded, modelops.Failed
	tests := map[string]struct {
		code            int32
		reason, said    string
		annotation      string
		state           modelops.State
		version         string
		message, isPart string
	}{
		"version and message":            {said: `{"model_version": "v8", "message": "AUC 0.93"}`, state: succeeded, version: "v8", message: "AUC 0.93"},
		"a version that is a number":     {said: `{"model_version": 8, "auc": 0.93}`, state: succeeded, version: "8"},
		"nothing":                        {state: succeeded},
		"a text is the message":          {said: "AUC\n0.93\n", state: succeeded, message: "AUC 0.93"},
		"an annotation is the version":   {annotation: "v9", said: `{"model_version": "v8", "message": "AUC 0.93"}`, state: succeeded, version: "v9", message: "AUC 0.93"},
		"a failure that it says":         {said: `{"state": "failed", "message": "AUC is worse"}`, state: failed, message: "AUC is worse"},
		"a version that can't be one":    {annotation: strings.Repeat("v", metric.MaxModelVersionBytes+1), state: succeeded, isPart: "(passed over: model_version"},
		"a failure with its last words":  {code: 1, reason: "Error", said: "CUDA\nerror", state: failed, isPart: "container train ended with exit code 1: CUDA error (BackoffLimitExceeded: "},
		"a failure with a result":        {code: 3, reason: "Error", said: `{"message": "too few rows"}`, state: failed, isPart: "container train ended with exit code 3: too few rows (BackoffLimitExceeded: "},
		"a failure without a word":       {code: 1, reason: "Error", state: failed, isPart: "container train ended with exit code 1 (BackoffLimitExceeded: "},
		"a container killed for memory":  {code: 137, reason: "OOMKilled", state: failed, isPart: "container train ended with exit code 137 (OOMKilled) (BackoffLimitExceeded: "},
		"a failure of very many letters": {code: 1, reason: "Error", said: strings.Repeat("x", 4000), state: failed, isPart: "x… (BackoffLimitExceeded: "},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			request := breach()
			_, err := b.ScheduleRetraining(t.Context(), request)
			require.NoError(t, err)
			if test.annotation != "" {
				p.annotate(t, p.job(t, request.RequestID), "modelvigil.ai/new-model-version", test.annotation)
			}
			p.end(t, request.RequestID, test.code, test.reason, test.said)
			got := outcome(t, b, request)
			assert.Equal(t, test.state, got.State)
			assert.Equal(t, test.version, got.ModelVersion)
			if test.isPart != "" {
				assert.Contains(t, got.Message, test.isPart)
				return
			}
			assert.Equal(t, test.message, got.Message)
		})
	}
}

func TestWhatTheClusterDoesToAPodIsTold(t *testing.T) {
	p := newPlace(t)
	b := newBackend(t, p.config())
	t.Run("evicted", func(t *testing.T) {
		request := breach()
		_, err := b.ScheduleRetraining(t.Context(), request)
		require.NoError(t, err)
		require.NoError(t, plane.Update(t.Context(), p.namespace, p.job(t, request.RequestID).Name, func(pod *corev1.Pod) {
			pod.Status.Phase, pod.Status.Reason, pod.Status.Message = corev1.PodFailed, "Evicted", "The node was low on resource: memory."
		}))
		got := outcome(t, b, request)
		assert.Equal(t, modelops.Failed, got.State)
		assert.Contains(t, got.Message, "Evicted: The node was low on resource: memory. (BackoffLimitExceeded: ")
	})
	t.Run("past its deadline", func(t *testing.T) {
		config, request := p.config(), breach()
		config.CronJob, config.Template = "", strings.Replace(inline, "backoffLimit: 0", "activeDeadlineSeconds: 1", 1)
		b := newBackend(t, config)
		_, err := b.ScheduleRetraining(t.Context(), request)
		require.NoError(t, err)
		got := outcome(t, b, request)
		assert.Equal(t, modelops.Failed, got.State)
		assert.Contains(t, got.Message, "DeadlineExceeded: Job was active longer than specified deadline")
	})
}

func TestARunningJobSaysWhatItWaitsFor(t *testing.T) {
	p := newPlace(t)
	config, request := p.config(), breach()
	config.CronJob, config.Template = "", strings.Replace(inline, "backoffLimit: 0", "backoffLimit: 3", 1)
	b := newBackend(t, config)
	_, err := b.ScheduleRetraining(t.Context(), request)
	require.NoError(t, err)
	job := p.job(t, request.RequestID).Name
	update := func(change func(*corev1.Pod)) {
		require.NoError(t, plane.Update(t.Context(), p.namespace, job, change))
	}

	running(t, b, request, "is pending")
	update(func(pod *corev1.Pod) {
		pod.Status.Conditions = []corev1.PodCondition{{
			Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "0/3 nodes are available: insufficient nvidia.com/gpu.",
		}}
	})
	running(t, b, request, "has no node: Unschedulable: 0/3 nodes are available: insufficient nvidia.com/gpu.")
	update(func(pod *corev1.Pod) {
		pod.Status.Conditions = nil
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "train", State: corev1.ContainerState{
			Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: `Back-off pulling image "example.com/train:1"`},
		}}}
	})
	running(t, b, request, `container train waits: ImagePullBackOff: Back-off pulling image "example.com/train:1"`)
	update(func(pod *corev1.Pod) {
		pod.Status.Phase = corev1.PodFailed
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "train", State: corev1.ContainerState{
			Terminated: &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled"},
		}}}
	})
	running(t, b, request, "1 pods have failed so far, the last: pod "+job)
	require.NoError(t, plane.Run(t.Context(), p.namespace, job)) // the next try
	running(t, b, request, "retraining is under way")
	suspend := []byte(`{"spec": {"suspend": true}}`)
	_, err = plane.Batch().Jobs(p.namespace).Patch(t.Context(), job, "application/merge-patch+json", suspend, metav1.PatchOptions{})
	require.NoError(t, err)
	running(t, b, request, "the Job is suspended")
}

func TestAJobDeletedByHandIsFinal(t *testing.T) {
	p, request := newPlace(t), breach()
	b := newBackend(t, p.config())
	_, err := b.ScheduleRetraining(t.Context(), request)
	require.NoError(t, err)
	foreground := metav1.DeletePropagationForeground
	require.NoError(t, plane.Batch().Jobs(p.namespace).Delete(t.Context(), p.job(t, request.RequestID).Name, metav1.DeleteOptions{PropagationPolicy: &foreground}))
	patience.Until(t, "it is known to be gone", func() bool {
		_, err = b.RetrainingOutcome(t.Context(), request, modelops.Job{})
		return modelops.IsFinal(err)
	})
	require.ErrorContains(t, err, "has it been deleted")
}

func TestAJobIsFollowedOverARestartOfTheAPIServer(t *testing.T) {
	p, request := newPlace(t), breach()
	b := newBackend(t, p.config())
	_, err := b.ScheduleRetraining(t.Context(), request)
	require.NoError(t, err)
	job := p.job(t, request.RequestID).Name
	require.NoError(t, plane.Run(t.Context(), p.namespace, job))

	plane.StopAPIServer()
	_, err = b.RetrainingOutcome(t.Context(), request, modelops.Job{})
	require.Error(t, err)
	require.False(t, modelops.IsFinal(err), "%v", err)
	started := make(chan error)
	go func() { started <- plane.StartAPIServer() }()
	for asking := true; asking; { // while it starts, when it may refuse what it allows
		select {
		case err := <-started:
			require.NoError(t, err)
			asking = false
		default:
			_, err := b.RetrainingOutcome(t.Context(), request, modelops.Job{})
			require.False(t, modelops.IsFinal(err), "%v", err)
		}
	}
	_, err = b.ScheduleRetraining(t.Context(), request)
	require.NoError(t, err)
	require.Len(t, p.jobs(t, request.RequestID), 1)
	p.end(t, request.RequestID, 0, "Completed", `{"model_version": "v8"}`)
	assert.Equal(t, modelops.Outcome{State: modelops.Succeeded, ModelVersion: "v8"}, outcome(t, b, request))
}

// What the Job says counts, even where a worker may not read its pods.
func TestASuccessIsOneWithoutTheRightToReadPods(t *testing.T) {
	p, request := newPlace(t), breach()
	b := newBackend(t, p.config())
	_, err := b.ScheduleRetraining(t.Context(), request)
	require.NoError(t, err)
	p.annotate(t, p.job(t, request.RequestID), "modelvigil.ai/new-model-version", "v8")
	p.end(t, request.RequestID, 0, "Completed", "")
	p.rights.Role.Rules = p.rights.Role.Rules[:1]
	require.NoError(t, plane.Restrict(t.Context(), p.rights, p.worker))
	got := outcome(t, b, request)
	assert.Equal(t, modelops.Succeeded, got.State)
	assert.Equal(t, "v8", got.ModelVersion)
	assert.Contains(t, got.Message, `cannot list resource "pods"`)
}
