package kubernetes_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/modelvigil/modelvigil/activities/kubernetes"
	"github.com/modelvigil/modelvigil/activities/kubernetes/cluster"
	"github.com/modelvigil/modelvigil/e2e/kubernetes/controlplane"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/modelops"
)

var plane *controlplane.ControlPlane // nil without its programs

func TestMain(m *testing.M) {
	if programs := os.Getenv(controlplane.Variable); programs != "" {
		var err error
		if plane, err = controlplane.Start(programs); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	code := m.Run()
	if plane != nil {
		plane.Stop()
	}
	if code == 0 {
		if err := patience.Leaks(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

func needPlane(t *testing.T) {
	t.Helper()
	if plane == nil {
		t.Skipf("%s names no directory with kube-apiserver and kube-controller-manager; `make e2e-kubernetes` sets it", controlplane.Variable)
	}
}

// place is a namespace with a CronJob "training", and a worker that has the rights
// of deploy/kubernetes/rbac.yaml.
type place struct {
	namespace string
	rights    controlplane.Rights
	worker    *rest.Config
}

const cronJob = "training"

func newPlace(t *testing.T) place {
	t.Helper()
	needPlane(t)
	p := place{namespace: "ml-" + uuid.NewString()[:8]}
	require.NoError(t, plane.NewNamespace(t.Context(), p.namespace))
	var err error
	p.rights, err = controlplane.ReadRights("../../"+cluster.RBAC, p.namespace)
	require.NoError(t, err)
	p.worker, err = plane.Grant(t.Context(), p.rights)
	require.NoError(t, err)
	suspended := true
	_, err = plane.Batch().CronJobs(p.namespace).Create(t.Context(), &batchv1.CronJob{
		ObjectMeta: metav1.ObjectMeta{Name: cronJob},
		Spec:       batchv1.CronJobSpec{Schedule: "0 0 31 2 *", Suspend: &suspended, JobTemplate: parsed(t, inline)},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	return p
}

// inline is a template that has a bit of everything.
const inline = `
metadata:
  labels: {team: fraud}
  annotations: {note: of the template, modelvigil.ai/new-model-version: stale}
spec:
  backoffLimit: 0
  template:
    metadata: {labels: {tier: gpu}}
    spec:
      restartPolicy: Never
      initContainers:
        - {name: fetch, image: example.com/fetch:1}
      containers:
        - name: train
          image: example.com/train:1
          env:
            - {name: MODELVIGIL_REASON, value: overridden}
            - {name: RUN_NAME, value: run-$(MODELVIGIL_MODEL_VERSION)}
        - {name: sidecar, image: example.com/log:1}
`

func parsed(t *testing.T, text string) (template batchv1.JobTemplateSpec) {
	t.Helper()
	require.NoError(t, yaml.UnmarshalStrict([]byte(text), &template))
	return template
}

func (p place) config() kubernetes.Config {
	return kubernetes.Config{Cluster: cluster.Config{REST: p.worker, Namespace: p.namespace}, CronJob: cronJob}
}

func newBackend(t *testing.T, config kubernetes.Config) *kubernetes.Backend {
	t.Helper()
	backend, err := kubernetes.New(config)
	require.NoError(t, err)
	t.Cleanup(backend.Close)
	return backend
}

func breach() modelops.Request {
	return modelops.Request{
		RequestID: "model-monitor/fraud/" + uuid.NewString() + "/1", ModelName: "fraud", ModelVersion: "v7",
		Reason: "accuracy 0.8000 below threshold 0.9000", Rule: "accuracy", Metric: "accuracy",
		Value: new(0.8), Threshold: new(0.9), TriggeredAt: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		Params: map[string]json.RawMessage{"epochs": json.RawMessage("3")},
	}
}

// jobs are those that carry a request id.
func (p place) jobs(t *testing.T, requestID string) (found []batchv1.Job) {
	t.Helper()
	all, err := plane.Batch().Jobs(p.namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	for _, job := range all.Items {
		if job.Annotations[cluster.AnnotationRequestID] == requestID {
			found = append(found, job)
		}
	}
	return found
}

func (p place) job(t *testing.T, requestID string) batchv1.Job {
	t.Helper()
	jobs := p.jobs(t, requestID)
	require.Len(t, jobs, 1)
	return jobs[0]
}

// end ends the pod of a request's Job, and with it the Job.
func (p place) end(t *testing.T, requestID string, code int32, reason, message string) {
	t.Helper()
	require.NoError(t, plane.End(t.Context(), p.namespace, p.job(t, requestID).Name,
		corev1.ContainerStateTerminated{ExitCode: code, Reason: reason, Message: message}))
}

// outcome asks until the Job has ended.
func outcome(t *testing.T, b *kubernetes.Backend, request modelops.Request) (o modelops.Outcome) {
	t.Helper()
	patience.Until(t, "the retraining has ended", func() bool {
		var err error
		o, err = b.RetrainingOutcome(t.Context(), request, modelops.Job{})
		return !errors.Is(err, modelops.ErrRunning) && assert.NoError(t, err)
	})
	return o
}

// running asks until the answer, that it still runs, has a text.
func running(t *testing.T, b *kubernetes.Backend, request modelops.Request, want string) {
	t.Helper()
	patience.Until(t, "it is said that "+want, func() bool {
		_, err := b.RetrainingOutcome(t.Context(), request, modelops.Job{})
		require.ErrorIs(t, err, modelops.ErrRunning)
		return strings.Contains(err.Error(), want)
	})
}
