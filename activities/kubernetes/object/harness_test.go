package object_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/modelvigil/modelvigil/activities/kubernetes/cluster"
	"github.com/modelvigil/modelvigil/activities/kubernetes/object"
	"github.com/modelvigil/modelvigil/e2e/kubernetes/controlplane"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/modelops"
)

var (
	plane *controlplane.ControlPlane // nil without its programs
	admin dynamic.Interface
)

// trainings is a kind of the test's own, as Argo's or Kubeflow's are.
var trainings = schema.GroupVersionResource{Group: "example.com", Version: "v1", Resource: "trainings"}

const definition = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: trainings.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: trainings, singular: training, kind: Training}
  versions:
    - name: v1
      served: true
      storage: true
      subresources: {status: {}}
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              required: [arguments]
              properties:
                arguments: {type: array, items: {type: string}}
                config: {type: object, x-kubernetes-preserve-unknown-fields: true}
            status: {type: object, x-kubernetes-preserve-unknown-fields: true}
`

func TestMain(m *testing.M) {
	code, err := run(m)
	if code == 0 && err == nil {
		err = patience.Leaks()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	programs := os.Getenv(controlplane.Variable)
	if programs == "" {
		return m.Run(), nil
	}
	var err error
	if plane, err = controlplane.Start(programs); err != nil {
		return 0, err
	}
	defer plane.Stop()
	client, err := rest.HTTPClientFor(plane.Admin())
	if err != nil {
		return 0, err
	}
	defer client.CloseIdleConnections()
	if admin, err = dynamic.NewForConfigAndClient(plane.Admin(), client); err != nil {
		return 0, err
	}
	var crd unstructured.Unstructured
	if err := yaml.Unmarshal([]byte(definition), &crd.Object); err != nil {
		return 0, err
	}
	definitions := schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	if _, err := admin.Resource(definitions).Create(context.Background(), &crd, metav1.CreateOptions{}); err != nil {
		return 0, err
	}
	served, cancel := context.WithTimeout(context.Background(), patience.Limit)
	defer cancel()
	for {
		if _, err = admin.Resource(trainings).Namespace("default").List(served, metav1.ListOptions{}); err == nil {
			break
		}
		if served.Err() != nil {
			return 0, err
		}
	}
	return m.Run(), nil
}

// template is what a user writes.
const template = `
apiVersion: example.com/v1
kind: Training
metadata:
  generateName: training-
  labels: {team: fraud}
  annotations: {why: "${MODELVIGIL_REASON}"}
spec:
  arguments: ["--model=${MODELVIGIL_MODEL_NAME}", "--epochs=${MODELVIGIL_PARAM_EPOCHS}", "--rate=${MODELVIGIL_PARAM_RATE}", "$HOME ${other}"]
  config: {request: "${MODELVIGIL_REQUEST}", replicas: 2, nested: [{reason: "because of ${MODELVIGIL_RULE}: ${MODELVIGIL_REASON}"}]}
`

// place is a namespace, and a worker that has the rights of
// deploy/kubernetes/rbac.yaml with its lines for further kinds.
type place struct {
	namespace string
	rights    controlplane.Rights
	worker    *rest.Config
}

func newPlace(t *testing.T) place {
	t.Helper()
	if plane == nil {
		t.Skipf("%s names no directory with kube-apiserver and kube-controller-manager; `make e2e-kubernetes` sets it", controlplane.Variable)
	}
	p := place{namespace: "ml-" + uuid.NewString()[:8]}
	require.NoError(t, plane.NewNamespace(t.Context(), p.namespace))
	var err error
	p.rights, err = controlplane.ReadRights("../../../"+cluster.RBAC, p.namespace)
	require.NoError(t, err)
	p.rights.Role.Rules = append(p.rights.Role.Rules, rbacv1.PolicyRule{
		APIGroups: []string{trainings.Group}, Resources: []string{trainings.Resource}, Verbs: []string{"create", "get", "delete"},
	})
	p.worker, err = plane.Grant(t.Context(), p.rights)
	require.NoError(t, err)
	return p
}

func (p place) config() object.Config {
	return object.Config{
		Cluster: cluster.Config{REST: p.worker, Namespace: p.namespace}, Template: template,
		Success: []string{"{.status.phase}=Succeeded"},
		Failure: []string{"{.status.phase}=Failed", `{.status.conditions[?(@.type=="Failed")].status}=True`},
		Message: "{.status.message}", ModelVersion: "{.status.outputs.version}",
	}
}

func newBackend(t *testing.T, config object.Config) *object.Backend {
	t.Helper()
	backend, err := object.New(config)
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

func (p place) trainings() dynamic.ResourceInterface {
	return admin.Resource(trainings).Namespace(p.namespace)
}

// made are the objects that carry a request id.
func (p place) made(t *testing.T, requestID string) (found []unstructured.Unstructured) {
	t.Helper()
	all, err := p.trainings().List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	for _, training := range all.Items {
		if training.GetAnnotations()[cluster.AnnotationRequestID] == requestID {
			found = append(found, training)
		}
	}
	return found
}

func (p place) one(t *testing.T, requestID string) *unstructured.Unstructured {
	t.Helper()
	made := p.made(t, requestID)
	require.Len(t, made, 1)
	return &made[0]
}

// status writes an object's status, as its controller would.
func (p place) status(t *testing.T, requestID string, status map[string]any) {
	t.Helper()
	training := p.one(t, requestID)
	training.Object["status"] = status
	_, err := p.trainings().UpdateStatus(t.Context(), training, metav1.UpdateOptions{})
	require.NoError(t, err)
}

// outcome asks until the object has ended.
func outcome(t *testing.T, b *object.Backend, request modelops.Request) (o modelops.Outcome) {
	t.Helper()
	patience.Until(t, "the retraining has ended", func() bool {
		var err error
		o, err = b.RetrainingOutcome(t.Context(), request, modelops.Job{})
		return !errors.Is(err, modelops.ErrRunning) && assert.NoError(t, err)
	})
	return o
}
