package object_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdktemporal "go.temporal.io/sdk/temporal"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/modelvigil/modelvigil/activities"
	"github.com/modelvigil/modelvigil/activities/kubernetes/cluster"
	"github.com/modelvigil/modelvigil/activities/kubernetes/object"
	"github.com/modelvigil/modelvigil/modelops"
)

func TestEveryFaultOfAConfigurationIsNamed(t *testing.T) {
	here := cluster.Config{REST: &rest.Config{Host: "https://127.0.0.1:1"}, Namespace: "ml"}
	tests := map[string]struct {
		config object.Config
		want   []string
	}{
		"nothing is given": {object.Config{Cluster: here}, []string{"template: is missing", "success: is missing", "failure: is missing"}},
		"all is wrong": {
			object.Config{
				Cluster: cluster.Config{REST: here.REST, Namespace: "Bad"}, Template: "metadata: x\nspec: {a: ['${MODELVIGIL_RAISON}']}",
				Success: []string{"status.phase=Succeeded", "{.status.phase}=", "{.status[}=a"}, Failure: []string{"{.status.phase} is Failed"},
				Message: ".status", ModelVersion: "{.status[",
			},
			[]string{
				"template: apiVersion: must be a text, got <nil>", "template: kind: must be a text", "template: metadata: must be an object",
				"template: ${MODELVIGIL_RAISON}: is no part of a decision; there are MODELVIGIL_REQUEST_ID, ",
				"success[0]: must be {JSONPath}=value", "success[1]: must be {JSONPath}=value", `success[2]: "{.status[}" is no JSONPath`,
				"failure[0]: must be {JSONPath}=value", "message: must be a JSONPath in braces", "model_version: must be a JSONPath in braces",
				`namespace: "Bad" is no namespace's name`,
			},
		},
		"two objects": {object.Config{Cluster: here, Template: "a: 1\na: 2", Success: []string{"{.a}"}, Failure: []string{"{.b}"}}, []string{"template: must be one object in YAML or JSON"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := object.New(test.config)
			require.Error(t, err)
			assert.Len(t, strings.Split(err.Error(), "\n"), len(test.want), "%v", err)
			for _, want := range test.want {
				assert.ErrorContains(t, err, want)
			}
		})
	}
}

func TestTheObjectGetsTheDecision(t *testing.T) {
	p, request := newPlace(t), breach()
	request.Reason = `a "quoted" ${MODELVIGIL_MODEL_NAME} ü`
	b := newBackend(t, p.config())
	job, err := b.ScheduleRetraining(t.Context(), request)
	require.NoError(t, err)
	assert.Equal(t, modelops.Job{ID: p.namespace + "/" + cluster.Name(request), Followed: true}, job)

	encoded, err := json.Marshal(request)
	require.NoError(t, err)
	made := p.one(t, request.RequestID)
	assert.Equal(t, cluster.Name(request), made.GetName())
	assert.Empty(t, made.GetGenerateName())
	assert.Equal(t, map[string]string{"team": "fraud", "app.kubernetes.io/managed-by": "modelvigil", "modelvigil.ai/model": "fraud"}, made.GetLabels())
	assert.Equal(t, map[string]string{
		"why": request.Reason, "modelvigil.ai/request-id": request.RequestID, "modelvigil.ai/model-name": "fraud",
		"modelvigil.ai/model-version": "v7", "modelvigil.ai/reason": request.Reason, "modelvigil.ai/request": string(encoded),
	}, made.GetAnnotations())
	assert.Equal(t, map[string]any{
		"arguments": []any{"--model=fraud", "--epochs=3", "--rate=", "$HOME ${other}"},
		"config": map[string]any{
			"request": string(encoded), "replicas": int64(2),
			"nested": []any{map[string]any{"reason": "because of accuracy: " + request.Reason}},
		},
	}, made.Object["spec"], "what is put in isn't looked through again")
}

func TestConditionsSayHowItEnds(t *testing.T) {
	p := newPlace(t)
	succeeded, failed := modelops.Succeeded, modelops.Failed
	b := newBackend(t, p.config())
	tests := map[string]struct {
		status map[string]any
		want   modelops.Outcome
	}{
		"a phase, a version and a message": {
			map[string]any{"phase": "Succeeded", "message": "AUC 0.93", "outputs": map[string]any{"version": "v8"}},
			modelops.Outcome{State: succeeded, ModelVersion: "v8", Message: "AUC 0.93"},
		},
		"a version that is a number":  {map[string]any{"phase": "Succeeded", "outputs": map[string]any{"version": int64(8)}}, modelops.Outcome{State: succeeded, ModelVersion: "8"}},
		"a message that is a result":  {map[string]any{"phase": "Succeeded", "message": `{"model_version": "v9", "message": "good"}`}, modelops.Outcome{State: succeeded, ModelVersion: "v9", Message: "good"}},
		"no more than a phase":        {map[string]any{"phase": "Succeeded"}, modelops.Outcome{State: succeeded}},
		"a failed phase":              {map[string]any{"phase": "Failed", "message": "out\nof memory"}, modelops.Outcome{State: failed, Message: "out of memory"}},
		"a condition among others":    {map[string]any{"conditions": []any{map[string]any{"type": "Running", "status": "False"}, map[string]any{"type": "Failed", "status": "True"}}}, modelops.Outcome{State: failed}},
		"both: then it has failed":    {map[string]any{"phase": "Succeeded", "conditions": []any{map[string]any{"type": "Failed", "status": "True"}}}, modelops.Outcome{State: failed}},
		"fields of unexpected shapes": {map[string]any{"phase": "Succeeded", "conditions": "none", "outputs": []any{"a"}}, modelops.Outcome{State: succeeded}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			request := breach()
			_, err := b.ScheduleRetraining(t.Context(), request)
			require.NoError(t, err)
			p.status(t, request.RequestID, map[string]any{"phase": "Running", "message": "epoch 2", "conditions": []any{map[string]any{"type": "Failed", "status": "False"}}})
			_, err = b.RetrainingOutcome(t.Context(), request, modelops.Job{})
			require.ErrorIs(t, err, modelops.ErrRunning)
			require.ErrorContains(t, err, "retraining is under way: epoch 2")
			p.status(t, request.RequestID, test.status)
			assert.Equal(t, test.want, outcome(t, b, request))
		})
	}
}

func TestTheVersionIsAnAnnotationByDefault(t *testing.T) {
	p, request := newPlace(t), breach()
	config := p.config()
	config.ModelVersion, config.Success = "", []string{"{.status.completedAt}"}
	b := newBackend(t, config)
	_, err := b.ScheduleRetraining(t.Context(), request)
	require.NoError(t, err)
	made := p.one(t, request.RequestID)
	made.SetAnnotations(map[string]string{"modelvigil.ai/request-id": request.RequestID, "modelvigil.ai/new-model-version": "v8"})
	_, err = p.trainings().Update(t.Context(), made, metav1.UpdateOptions{})
	require.NoError(t, err)
	p.status(t, request.RequestID, map[string]any{"completedAt": "2026-03-01T12:00:00Z"})
	assert.Equal(t, modelops.Outcome{State: modelops.Succeeded, ModelVersion: "v8"}, outcome(t, b, request))
}

func TestErrorsSayWhetherAskingAgainHelps(t *testing.T) {
	p := newPlace(t)
	tests := map[string]struct {
		change     func(*object.Config)
		kind, want string
	}{
		"forbidden": {
			func(c *object.Config) { c.Cluster.Namespace = "default" }, activities.ErrorPermanent,
			`cannot create resource "trainings" in API group "example.com" in the namespace "default"; grant it: deploy/kubernetes/rbac.yaml`,
		},
		"a namespace that isn't there": {
			func(c *object.Config) { c.Cluster.REST, c.Cluster.Namespace = plane.Admin(), "nowhere" }, activities.ErrorPermanent,
			`namespaces "nowhere" not found; create the namespace`,
		},
		"a group that isn't there": {
			func(c *object.Config) {
				c.Template = strings.Replace(template, "example.com/v1", "argoproj.io/v1alpha1", 1)
			}, activities.ErrorPermanent,
			"the API server knows no kind Training of argoproj.io/v1alpha1; install its custom resource definition, or correct the template",
		},
		"a kind that isn't there": {
			func(c *object.Config) { c.Template = strings.Replace(template, "kind: Training", "kind: Trainer", 1) }, activities.ErrorPermanent,
			"the API server knows no kind Trainer of example.com/v1",
		},
		"a kind without namespaces": {
			func(c *object.Config) { c.Template = "{apiVersion: v1, kind: Node}" }, activities.ErrorPermanent,
			"objects of this kind are in no namespace",
		},
		"an object that isn't valid": {
			func(c *object.Config) { c.Template = "{apiVersion: example.com/v1, kind: Training, spec: {}}" }, activities.ErrorPermanent,
			"spec.arguments: Required value",
		},
		"a token that isn't one": {
			func(c *object.Config) { c.Cluster.REST = plane.Bearer("wrong-token") }, activities.ErrorPermanent,
			"the API server doesn't take the credentials",
		},
		"a server that isn't there": {func(c *object.Config) { c.Cluster.REST = &rest.Config{Host: "https://127.0.0.1:1"} }, activities.ErrorTransient, "create Training "},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			config := p.config()
			test.change(&config)
			calls := activities.Retraining{Backends: map[string]modelops.ModelOps{"argo": newBackend(t, config)}}
			_, err := calls.ScheduleRetraining(t.Context(), activities.Call{Backend: "argo", Request: breach()})
			var told *sdktemporal.ApplicationError
			require.ErrorAs(t, err, &told)
			assert.Equal(t, test.kind, told.Type())
			assert.Equal(t, test.kind == activities.ErrorPermanent, told.NonRetryable())
			assert.ErrorContains(t, told, test.want)
			assert.NotContains(t, told.Error(), "wrong-token")
		})
	}
	t.Run("a quota that is used up", func(t *testing.T) {
		defer p.noRoom(t)()
		_, err := newBackend(t, p.config()).ScheduleRetraining(t.Context(), breach())
		assert.True(t, modelops.IsThrottled(err), "%v", err)
	})
}

func TestAnObjectIsFollowedOverARestartOfTheAPIServer(t *testing.T) {
	p, request := newPlace(t), breach()
	b := newBackend(t, p.config())
	_, err := b.ScheduleRetraining(t.Context(), request)
	require.NoError(t, err)
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
	p.status(t, request.RequestID, map[string]any{"phase": "Succeeded", "outputs": map[string]any{"version": "v8"}})
	assert.Equal(t, modelops.Outcome{State: modelops.Succeeded, ModelVersion: "v8"}, outcome(t, b, request))
}

func TestAnObjectDeletedByHandIsFinal(t *testing.T) {
	p, request := newPlace(t), breach()
	b := newBackend(t, p.config())
	_, err := b.ScheduleRetraining(t.Context(), request)
	require.NoError(t, err)
	require.NoError(t, p.trainings().Delete(t.Context(), p.one(t, request.RequestID).GetName(), metav1.DeleteOptions{}))
	_, err = b.RetrainingOutcome(t.Context(), request, modelops.Job{})
	require.True(t, modelops.IsFinal(err), "%v", err)
	require.ErrorContains(t, err, "has it been deleted")
}

func TestACheckSaysWhatIsToMend(t *testing.T) {
	p := newPlace(t)
	require.NoError(t, newBackend(t, p.config()).Check(t.Context()))
	made, err := p.trainings().List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	assert.Empty(t, made.Items)

	config := p.config()
	config.Cluster.Namespace = "default"
	err = newBackend(t, config).Check(t.Context())
	for _, verb := range []string{"get", "create", "delete"} {
		assert.ErrorContains(t, err, "may not "+verb+" trainings in namespace")
	}
	config = p.config()
	config.Template = "{apiVersion: example.com/v1, kind: Training, spec: {}}"
	assert.ErrorContains(t, newBackend(t, config).Check(t.Context()), "spec.arguments: Required value")
}
