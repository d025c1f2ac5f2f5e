package kubernetes_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdktemporal "go.temporal.io/sdk/temporal"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/modelvigil/modelvigil/activities"
	"github.com/modelvigil/modelvigil/activities/kubernetes"
	"github.com/modelvigil/modelvigil/e2e/kubernetes/controlplane"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/modelops"
)

// told is what Temporal is told when a backend is asked for a retraining.
func told(t *testing.T, config kubernetes.Config) *sdktemporal.ApplicationError {
	t.Helper()
	calls := activities.Retraining{Backends: map[string]modelops.ModelOps{"gpu": newBackend(t, config)}}
	_, err := calls.ScheduleRetraining(t.Context(), activities.Call{Backend: "gpu", Request: breach()})
	var told *sdktemporal.ApplicationError
	require.ErrorAs(t, err, &told)
	assert.Equal(t, told.Type() == activities.ErrorPermanent, told.NonRetryable())
	return told
}

func TestErrorsSayWhetherAskingAgainHelps(t *testing.T) {
	p := newPlace(t)
	at := func(change func(*kubernetes.Config)) kubernetes.Config {
		config := p.config()
		change(&config)
		return config
	}
	withTemplate := func(old, with string) kubernetes.Config {
		return at(func(c *kubernetes.Config) { c.CronJob, c.Template = "", strings.Replace(inline, old, with, 1) })
	}
	tests := map[string]struct {
		config     kubernetes.Config
		kind, want string
	}{
		"forbidden names verb, resource, namespace and what grants it": {
			at(func(c *kubernetes.Config) { c.Cluster.Namespace = "default" }), activities.ErrorPermanent,
			`cannot get resource "jobs" in API group "batch" in the namespace "default"; grant it: deploy/kubernetes/rbac.yaml has all that is needed`,
		},
		"a namespace that isn't there": {
			at(func(c *kubernetes.Config) { c.Cluster.REST, c.Cluster.Namespace = plane.Admin(), "nowhere" }), activities.ErrorPermanent,
			`namespaces "nowhere" not found; create the namespace, or correct it in the backend's settings`,
		},
		"a namespace that isn't there, for an inline template": {
			at(func(c *kubernetes.Config) {
				c.Cluster.REST, c.Cluster.Namespace, c.CronJob, c.Template = plane.Admin(), "nowhere", "", inline
			}), activities.ErrorPermanent,
			`namespaces "nowhere" not found; create the namespace, or correct it in the backend's settings`,
		},
		"a CronJob that isn't there": {
			at(func(c *kubernetes.Config) { c.CronJob = "trainings" }), activities.ErrorPermanent,
			`its template, CronJob trainings, isn't there: cronjobs.batch "trainings" not found; create it, or correct its name in the backend's settings`,
		},
		"a Job that isn't there": {
			at(func(c *kubernetes.Config) { c.CronJob, c.Job = "", "trainings" }), activities.ErrorPermanent,
			`its template, Job trainings, isn't there: jobs.batch "trainings" not found`,
		},
		"a container that isn't there": {
			at(func(c *kubernetes.Config) { c.Container = "trainer" }), activities.ErrorPermanent,
			`there is no container "trainer" in the template`,
		},
		"a template that isn't valid": {
			withTemplate("restartPolicy: Never", "restartPolicy: Always"), activities.ErrorPermanent,
			`spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"`,
		},
		"a token that isn't one": {
			at(func(c *kubernetes.Config) { c.Cluster.REST = plane.Bearer("wrong-token") }), activities.ErrorPermanent,
			"the API server doesn't take the credentials",
		},
		"a server that isn't there": {
			at(func(c *kubernetes.Config) { c.Cluster.REST = &rest.Config{Host: "https://127.0.0.1:1"} }), activities.ErrorTransient,
			`at https://127.0.0.1:1: `,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			told := told(t, test.config)
			assert.Equal(t, test.kind, told.Type())
			assert.ErrorContains(t, told, test.want)
			assert.NotContains(t, told.Error(), "wrong-token")
		})
	}
}

func TestANamespaceThatEndsIsFinal(t *testing.T) {
	p := newPlace(t)
	_, err := plane.Core().ConfigMaps(p.namespace).Create(t.Context(), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "holds", Finalizers: []string{"example.com/holds"}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	require.NoError(t, plane.Core().Namespaces().Delete(t.Context(), p.namespace, metav1.DeleteOptions{}))
	config := p.config()
	config.Cluster.REST, config.CronJob, config.Template = plane.Admin(), "", inline
	told := told(t, config)
	assert.Equal(t, activities.ErrorPermanent, told.Type())
	assert.ErrorContains(t, told, "because it is being terminated; create it anew, or correct the namespace in the backend's settings")
}

func TestAQuotaThatIsUsedUpIsAskedAgain(t *testing.T) {
	p := newPlace(t)
	p.noRoom(t)
	told := told(t, p.config())
	assert.Equal(t, activities.ErrorThrottled, told.Type())
	assert.ErrorContains(t, told, "exceeded quota: test, requested: count/jobs.batch=1, used: count/jobs.batch=0, limited: count/jobs.batch=0")
}

func TestAnAPIServerThatAsksForLessIsHeeded(t *testing.T) {
	p := newPlace(t)
	tests := map[string]struct {
		code       int
		retryAfter string
		kind       string
		pause      time.Duration
	}{
		"too many requests":                  {http.StatusTooManyRequests, "7", activities.ErrorThrottled, 7 * time.Second},
		"too many requests, for how long":    {http.StatusTooManyRequests, "", activities.ErrorThrottled, 0},
		"unavailable":                        {http.StatusServiceUnavailable, "30", activities.ErrorThrottled, 30 * time.Second},
		"unavailable, and doesn't say until": {http.StatusServiceUnavailable, "", activities.ErrorTransient, 0},
		"broken":                             {http.StatusInternalServerError, "", activities.ErrorTransient, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var faults controlplane.Faults
			config := p.config()
			config.Cluster.REST = rest.CopyConfig(p.worker)
			config.Cluster.REST.WrapTransport = faults.Wrap
			requests := 0
			faults.Set(func(request *http.Request, _ http.RoundTripper) (*http.Response, error) {
				requests++
				answer := &http.Response{StatusCode: test.code, Header: http.Header{}, Request: request, Body: io.NopCloser(strings.NewReader("too busy\n"))}
				if test.retryAfter != "" {
					answer.Header.Set("Retry-After", test.retryAfter)
				}
				return answer, nil
			})
			told := told(t, config)
			assert.Equal(t, 1, requests, "Temporal asks again, not the activity")
			assert.Equal(t, test.kind, told.Type())
			assert.Equal(t, test.pause, told.NextRetryDelay())
		})
	}
}

// The API server takes the connection and says nothing.
func TestACallEndsWithItsContext(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = silent.Close() }()
	config := kubernetes.Config{CronJob: cronJob}
	config.Cluster.Namespace = "ml"
	config.Cluster.REST = &rest.Config{Host: "https://" + silent.Addr().String()}
	b := newBackend(t, config)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	returned := make(chan error, 1)
	go func() {
		_, err := b.ScheduleRetraining(ctx, breach())
		returned <- err
	}()
	connection, err := silent.Accept() // the call is under way
	require.NoError(t, err)
	defer func() { _ = connection.Close() }()
	cancel()

	err = patience.Receive(t, "the call returns", returned)
	require.ErrorIs(t, err, context.Canceled)
	require.False(t, modelops.IsFinal(err))
}
