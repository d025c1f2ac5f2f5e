package kubernetes_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/modelvigil/modelvigil/activities/kubernetes"
)

func TestACheckSaysWhatIsToMend(t *testing.T) {
	p := newPlace(t)
	require.NoError(t, newBackend(t, p.config()).Check(t.Context()), "deploy/kubernetes/rbac.yaml has all that is needed")
	jobs, err := plane.Batch().Jobs(p.namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	assert.Empty(t, jobs.Items)

	tests := map[string]struct {
		change func(*kubernetes.Config)
		want   []string
	}{
		"no template": {func(c *kubernetes.Config) { c.CronJob = "trainings" }, []string{`its template, CronJob trainings, isn't there`}},
		"no rights": {func(c *kubernetes.Config) { c.Cluster.Namespace = "default" }, []string{
			"may not get jobs in namespace", "may not create jobs", "may not delete jobs", "may not list pods", "may not get cronjobs",
		}},
		"no Job that is valid": {func(c *kubernetes.Config) {
			c.CronJob, c.Template = "", strings.Replace(inline, "restartPolicy: Never", "restartPolicy: Always", 1)
		}, []string{"spec.template.spec.restartPolicy: Required value"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			config := p.config()
			test.change(&config)
			err := newBackend(t, config).Check(t.Context())
			require.Error(t, err)
			assert.Len(t, strings.Split(err.Error(), "\n"), len(test.want))
			for _, want := range test.want {
				assert.ErrorContains(t, err, want)
			}
		})
	}
}
