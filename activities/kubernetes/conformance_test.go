package kubernetes_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
		Jobs: func(t *testing.T, id string) int { return len(p.jobs(t, id)) },
		Succeed: func(t *testing.T, id, version string) {
			p.end(t, id, 0, "Completed", `{"model_version": "`+version+`"}`)
		},
		Fail:     func(t *testing.T, id, message string) { p.end(t, id, 1, "Error", message) },
		HasEnded: func(t *testing.T, id string) bool { return len(p.jobs(t, id)) == 0 },
		Forget: func(t *testing.T, id string) {
			background := metav1.DeletePropagationBackground
			require.NoError(t, plane.Batch().Jobs(p.namespace).Delete(t.Context(), p.job(t, id).Name, metav1.DeleteOptions{PropagationPolicy: &background}))
		},
		Stranger: func(t *testing.T, request modelops.Request) func() bool {
			stranger := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{
				Name: cluster.Name(request), Annotations: map[string]string{cluster.AnnotationRequestID: "another"},
			}, Spec: parsed(t, inline).Spec}
			_, err := plane.Batch().Jobs(p.namespace).Create(t.Context(), stranger, metav1.CreateOptions{})
			require.NoError(t, err)
			return func() bool {
				job, err := plane.Batch().Jobs(p.namespace).Get(t.Context(), stranger.Name, metav1.GetOptions{})
				return err == nil && job.DeletionTimestamp == nil
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

// noRoom lets the namespace take no more Jobs until lift is called.
func (p place) noRoom(t *testing.T) (lift func()) {
	t.Helper()
	undo, err := plane.Quota(t.Context(), p.namespace, "jobs.batch", 0)
	require.NoError(t, err)
	probe := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "probe"}, Spec: parsed(t, inline).Spec}
	patience.Until(t, "the API server knows of it, a moment later", func() bool {
		_, err := plane.Batch().Jobs(p.namespace).Create(t.Context(), probe, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return apierrors.IsForbidden(err)
	})
	return func() { require.NoError(t, undo()) }
}
