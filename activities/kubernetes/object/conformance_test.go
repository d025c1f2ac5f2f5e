package object_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"

	"github.com/modelvigil/modelvigil/activities/kubernetes/cluster"
	"github.com/modelvigil/modelvigil/activities/modelopstest"
	"github.com/modelvigil/modelvigil/e2e/kubernetes/controlplane"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/modelops"
)

func TestTheBackendIsConformant(t *testing.T) {
	p := newPlace(t)
	link, err := plane.NewLink()
	require.NoError(t, err)
	t.Cleanup(link.Close)
	var faults controlplane.Faults
	worker := rest.CopyConfig(p.worker)
	worker.Host, worker.WrapTransport = link.Host(), faults.Wrap

	modelopstest.TestModelOps(t, modelopstest.Harness{
		New: func(t *testing.T) modelops.ModelOps {
			config := p.config()
			config.Cluster.REST = worker
			return newBackend(t, config)
		},
		Jobs: func(t *testing.T, id string) int { return len(p.made(t, id)) },
		Succeed: func(t *testing.T, id, version string) {
			p.status(t, id, map[string]any{"phase": "Succeeded", "outputs": map[string]any{"version": version}})
		},
		Fail: func(t *testing.T, id, message string) {
			p.status(t, id, map[string]any{"phase": "Failed", "message": message})
		},
		HasEnded: func(t *testing.T, id string) bool { return len(p.made(t, id)) == 0 },
		Forget: func(t *testing.T, id string) {
			require.NoError(t, p.trainings().Delete(t.Context(), p.one(t, id).GetName(), metav1.DeleteOptions{}))
		},
		Stranger: func(t *testing.T, request modelops.Request) func() bool {
			stranger := p.bare(cluster.Name(request))
			stranger.SetAnnotations(map[string]string{cluster.AnnotationRequestID: "another"})
			_, err := p.trainings().Create(t.Context(), stranger, metav1.CreateOptions{})
			require.NoError(t, err)
			return func() bool {
				stranger, err := p.trainings().Get(t.Context(), stranger.GetName(), metav1.GetOptions{})
				return err == nil && stranger.GetDeletionTimestamp() == nil
			}
		},
		LoseAnswer: func(*testing.T) { faults.LoseAnswer() },
		Away:       func(*testing.T) func() { return link.Cut() },
		Refuse: func(t *testing.T) func() {
			ctx := context.WithoutCancel(t.Context())
			require.NoError(t, plane.Unbind(ctx, p.rights, p.worker))
			return func() { require.NoError(t, plane.Bind(ctx, p.rights, p.worker)) }
		},
		Throttle: p.noRoom,
		Secrets:  []string{p.worker.BearerToken},
	})
}

// bare is an object that nobody has asked for.
func (p place) bare(name string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "example.com/v1", "kind": "Training",
		"metadata": map[string]any{"name": name}, "spec": map[string]any{"arguments": []any{}},
	}}
}

// noRoom lets the namespace take no more objects until lift is called.
func (p place) noRoom(t *testing.T) (lift func()) {
	t.Helper()
	undo, err := plane.Quota(t.Context(), p.namespace, "trainings.example.com", 0)
	require.NoError(t, err)
	patience.Until(t, "the API server knows of it, a moment later", func() bool {
		_, err := p.trainings().Create(t.Context(), p.bare("probe"), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return apierrors.IsForbidden(err)
	})
	return func() { require.NoError(t, undo()) }
}
