package kubernetes_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/modelvigil/modelvigil/activities/kubernetes"
	"github.com/modelvigil/modelvigil/activities/kubernetes/cluster"
	"github.com/modelvigil/modelvigil/modelops"
)

func TestEveryFaultOfAConfigurationIsNamed(t *testing.T) {
	here := cluster.Config{REST: &rest.Config{Host: "https://127.0.0.1:1"}, Namespace: "ml"}
	tests := map[string]struct {
		config kubernetes.Config
		want   []string
	}{
		"nothing is given": {
			kubernetes.Config{Cluster: cluster.Config{Kubeconfig: "/nowhere"}},
			[]string{"cronjob: is missing", "kubeconfig: "},
		},
		"all is wrong": {
			kubernetes.Config{
				Cluster: cluster.Config{REST: here.REST, Namespace: "Bad Space", Kubeconfig: "x"},
				CronJob: "Training", Job: "b c", Template: "{", ModelVersionAnnotation: "a b", TTL: time.Second,
			},
			[]string{
				`cronjob: "Training" is no object's name`, "job: there is another template", `job: "b c" is no object's name`,
				"template: there is another template", "template: must be a batch/v1 JobTemplateSpec", `model_version_annotation: "a b" is no annotation's name`,
				"ttl: must be whole seconds, 10m0s at least, got 1s", "kubeconfig: can't be given together",
			},
		},
		"a namespace that can't be one":   {kubernetes.Config{Cluster: cluster.Config{REST: here.REST, Namespace: "Bad Space"}, CronJob: "a"}, []string{`namespace: "Bad Space" is no namespace's name`}},
		"no namespace":                    {kubernetes.Config{Cluster: cluster.Config{REST: here.REST}, CronJob: "a"}, []string{`namespace: "" is no namespace's name`}},
		"a field that no template has":    {kubernetes.Config{Cluster: here, Template: "spec: {tmplate: {}}"}, []string{`template: must be a batch/v1 JobTemplateSpec, {metadata, spec}: `}},
		"a template without a container":  {kubernetes.Config{Cluster: here, Template: "spec: {}"}, []string{"template: spec.template.spec.containers: is missing"}},
		"a container that isn't there":    {kubernetes.Config{Cluster: here, Template: inline, Container: "trainer"}, []string{`container: there is no container "trainer" in the template`}},
		"a context that isn't there":      {kubernetes.Config{Cluster: cluster.Config{Kubeconfig: "testdata/kubeconfig.yaml", Context: "prod"}, CronJob: "a"}, []string{`context: the kubeconfig has no context "prod", only staging`}},
		"a kubeconfig that is no such":    {kubernetes.Config{Cluster: cluster.Config{Kubeconfig: "kubernetes.go"}, CronJob: "a"}, []string{"kubeconfig: "}},
		"one that is half a second short": {kubernetes.Config{Cluster: here, CronJob: "a", TTL: kubernetes.MinTTL - time.Second/2}, []string{"ttl: must be whole seconds"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := kubernetes.New(test.config)
			require.Error(t, err)
			faults := strings.Split(err.Error(), "\n")
			assert.Len(t, faults, len(test.want), "%v", err)
			for _, want := range test.want {
				assert.ErrorContains(t, err, want)
			}
		})
	}
	b, err := kubernetes.New(kubernetes.Config{Cluster: cluster.Config{Kubeconfig: "testdata/kubeconfig.yaml", Context: "staging"}, CronJob: "a"})
	require.NoError(t, err, "the context has the namespace")
	b.Close()
}

func TestTheJobGetsTheDecision(t *testing.T) {
	p, request := newPlace(t), breach()
	request.Reason = "a $(SECRET) of 5 $ ü"
	request.Params["learning-rate"] = json.RawMessage(`"1e-3"`)
	b := newBackend(t, p.config())
	scheduled, err := b.ScheduleRetraining(t.Context(), request)
	require.NoError(t, err)
	assert.Equal(t, modelops.Job{ID: p.namespace + "/" + cluster.Name(request), Followed: true}, scheduled)

	job := p.job(t, request.RequestID)
	assert.Equal(t, cluster.Name(request), job.Name)
	assert.Regexp(t, `^retrain-fraud-[a-z2-7]{16}$`, job.Name)
	wantAnnotations := map[string]string{
		"modelvigil.ai/request-id": request.RequestID, "modelvigil.ai/model-name": "fraud",
		"modelvigil.ai/model-version": "v7", "modelvigil.ai/reason": request.Reason,
	}
	for key, value := range wantAnnotations {
		assert.Equal(t, value, job.Annotations[key])
		assert.Equal(t, value, job.Spec.Template.Annotations[key])
	}
	assert.Equal(t, "of the template", job.Annotations["note"])
	assert.NotContains(t, job.Annotations, "modelvigil.ai/new-model-version", "the template's isn't an answer")
	assert.Equal(t, "fraud", job.Labels["team"])
	assert.Equal(t, "gpu", job.Spec.Template.Labels["tier"])
	assert.Equal(t, "fraud", job.Spec.Template.Labels["modelvigil.ai/model"])
	assert.Equal(t, "modelvigil", job.Labels["app.kubernetes.io/managed-by"])
	assert.EqualValues(t, 7*24*3600, *job.Spec.TTLSecondsAfterFinished)
	assert.Empty(t, job.OwnerReferences)

	encoded, err := json.Marshal(request)
	require.NoError(t, err)
	want := map[string]string{
		"MODELVIGIL_REQUEST_ID": request.RequestID, "MODELVIGIL_MODEL_NAME": "fraud", "MODELVIGIL_MODEL_VERSION": "v7",
		"MODELVIGIL_REASON": "a $(SECRET) of 5 $ ü", "MODELVIGIL_RULE": "accuracy", "MODELVIGIL_METRIC": "accuracy",
		"MODELVIGIL_VALUE": "0.8", "MODELVIGIL_THRESHOLD": "0.9", "MODELVIGIL_TRIGGERED_AT": "2026-03-01T12:00:00Z",
		"MODELVIGIL_PARAMS": `{"epochs":3,"learning-rate":"1e-3"}`, "MODELVIGIL_REQUEST": string(encoded),
		"MODELVIGIL_PARAM_EPOCHS": "3", "MODELVIGIL_PARAM_LEARNING_RATE": "1e-3",
		"MODELVIGIL_JOB_NAME": job.Name, "MODELVIGIL_JOB_NAMESPACE": p.namespace,
	}
	pod := job.Spec.Template.Spec
	for _, container := range append(pod.Containers, pod.InitContainers...) {
		got := map[string]string{}
		for _, variable := range container.Env {
			_, twice := got[variable.Name]
			assert.False(t, twice, variable.Name)
			got[variable.Name] = strings.ReplaceAll(variable.Value, "$$", "$") // as a kubelet does
		}
		for name, value := range want {
			assert.Equal(t, value, got[name], "%s of %s", name, container.Name)
		}
	}
	env := pod.Containers[0].Env
	assert.Equal(t, corev1.EnvVar{Name: "RUN_NAME", Value: "run-$(MODELVIGIL_MODEL_VERSION)"}, env[len(env)-1], "the decision comes first, to be referred to")
}

func TestATemplateIsAJobOrInTheSettingsToo(t *testing.T) {
	p := newPlace(t)
	suspended, ttl := true, int32(0)
	spec := parsed(t, inline).Spec
	spec.Suspend, spec.TTLSecondsAfterFinished = &suspended, &ttl
	_, err := plane.Batch().Jobs(p.namespace).Create(t.Context(), &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: "template", Labels: map[string]string{"team": "fraud"}}, Spec: spec,
	}, metav1.CreateOptions{})
	require.NoError(t, err)

	of := p.config()
	of.CronJob, of.Job, of.Container, of.ModelVersionAnnotation = "", "template", "train", "mlflow.org/version"
	b, request := newBackend(t, of), breach()
	_, err = b.ScheduleRetraining(t.Context(), request)
	require.NoError(t, err)
	job := p.job(t, request.RequestID)
	assert.False(t, *job.Spec.Suspend, "only the template is suspended")
	assert.EqualValues(t, kubernetes.MinTTL.Seconds(), *job.Spec.TTLSecondsAfterFinished, "it stays until it was asked after")
	assert.Equal(t, "fraud", job.Labels["team"])
	assert.Contains(t, job.Spec.Template.Spec.Containers[0].Env, corev1.EnvVar{Name: "MODELVIGIL_MODEL_NAME", Value: "fraud"})
	assert.Empty(t, job.Spec.Template.Spec.Containers[1].Env, "one container gets the decision")
	assert.Empty(t, job.Spec.Template.Spec.InitContainers[0].Env)
	p.annotate(t, job, "mlflow.org/version", "v8")
	p.end(t, request.RequestID, 0, "Completed", "")
	assert.Equal(t, modelops.Outcome{State: modelops.Succeeded, ModelVersion: "v8"}, outcome(t, b, request))

	of = p.config()
	of.CronJob, of.Template, of.TTL = "", inline, time.Hour
	b, request = newBackend(t, of), breach()
	_, err = b.ScheduleRetraining(t.Context(), request)
	require.NoError(t, err)
	assert.EqualValues(t, 3600, *p.job(t, request.RequestID).Spec.TTLSecondsAfterFinished)
}

// annotate writes an annotation of a Job as its pod would.
func (p place) annotate(t *testing.T, job batchv1.Job, key, value string) {
	t.Helper()
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{key: value}}})
	require.NoError(t, err)
	_, err = plane.Batch().Jobs(p.namespace).Patch(t.Context(), job.Name, "application/merge-patch+json", patch, metav1.PatchOptions{})
	require.NoError(t, err)
}

// A worker reads its kubeconfig as kubectl does.
func TestAKubeconfigFileConnects(t *testing.T) {
	p, request := newPlace(t), breach()
	file := t.TempDir() + "/kubeconfig"
	require.NoError(t, plane.Kubeconfig(file, p.worker, p.namespace))
	b := newBackend(t, kubernetes.Config{Cluster: cluster.Config{Kubeconfig: file, Context: "test"}, CronJob: cronJob})
	_, err := b.ScheduleRetraining(t.Context(), request)
	require.NoError(t, err)
	require.Len(t, p.jobs(t, request.RequestID), 1)
}

func TestAJobOutlivesItsTemplate(t *testing.T) {
	p, request := newPlace(t), breach()
	b := newBackend(t, p.config())
	_, err := b.ScheduleRetraining(t.Context(), request)
	require.NoError(t, err)
	background := metav1.DeletePropagationBackground
	require.NoError(t, plane.Batch().CronJobs(p.namespace).Delete(t.Context(), cronJob, metav1.DeleteOptions{PropagationPolicy: &background}))
	_, err = b.ScheduleRetraining(t.Context(), request)
	require.NoError(t, err, "it was scheduled, and its answer lost")
	p.end(t, request.RequestID, 0, "Completed", "")
	assert.Equal(t, modelops.Succeeded, outcome(t, b, request).State)
}
