package cluster_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/validation"
	"pgregory.net/rapid"

	"github.com/modelvigil/modelvigil/activities/kubernetes/cluster"
	"github.com/modelvigil/modelvigil/modelops"
)

func TestANameSaysTheModelAndIsTheRequestsAlone(t *testing.T) {
	of := func(model, id string) string {
		return cluster.Name(modelops.Request{ModelName: model, RequestID: id})
	}
	assert.Equal(t, "retrain-fraud-detection-v2-"+of("", "1")[len("retrain-"):], of("Fraud Detection / v2", "1"))
	assert.Equal(t, of("fraud", "1"), of("fraud", "1"))
	assert.NotEqual(t, of("fraud", "1"), of("fraud", "2"))
	assert.NotEqual(t, of("fraud", "1"), of("fraud", "11"))
}

func TestWhateverAModelIsCalledKubernetesTakesIt(t *testing.T) {
	text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[ -~]{0,200}`), rapid.StringMatching(`[a-z.-]{60,100}`))
	rapid.Check(t, func(t *rapid.T) {
		request := modelops.Request{
			RequestID: text.Draw(t, "request id"), ModelName: text.Draw(t, "model"), ModelVersion: text.Draw(t, "version"), Reason: text.Draw(t, "reason"),
			Params: map[string]json.RawMessage{text.Draw(t, "param"): json.RawMessage("1"), text.Draw(t, "another"): json.RawMessage("2")},
		}
		name := cluster.Name(request)
		if wrong := validation.IsDNS1035Label(name); len(wrong) > 0 || len(name) > 52 {
			t.Fatalf("name %q: %v", name, wrong)
		}
		for key, value := range cluster.Labels(request) {
			if wrong := append(validation.IsQualifiedName(key), validation.IsValidLabelValue(value)...); len(wrong) > 0 {
				t.Fatalf("label %s=%q: %v", key, value, wrong)
			}
		}
		for key := range cluster.Annotations(request) {
			if wrong := validation.IsQualifiedName(key); len(wrong) > 0 {
				t.Fatalf("annotation %s: %v", key, wrong)
			}
		}
		variables, err := cluster.Variables(request)
		if err != nil {
			t.Fatal(err)
		}
		taken := map[string]bool{}
		for _, variable := range variables {
			if wrong := validation.IsEnvVarName(variable.Name); len(wrong) > 0 || taken[variable.Name] {
				t.Fatalf("variable %q: %v", variable.Name, wrong)
			}
			taken[variable.Name] = true
		}
	})
}

func TestVariablesAreTheDecision(t *testing.T) {
	variables, err := cluster.Variables(modelops.Request{
		RequestID: "model-monitor/fraud/7c1e/1", ModelName: "fraud", Rule: modelops.RuleManual, Reason: "quarterly",
		TriggeredAt: time.Date(2026, 3, 1, 13, 0, 0, 0, time.FixedZone("CET", 3600)),
		Params: map[string]json.RawMessage{
			"epochs": json.RawMessage("3"), "data.set": json.RawMessage(`"a b"`), "data-set": json.RawMessage(`"first of its name"`), "-": json.RawMessage("0"), "none": json.RawMessage("null"),
		},
	})
	require.NoError(t, err)
	got := map[string]string{}
	for _, variable := range variables {
		got[variable.Name] = variable.Value
	}
	assert.Equal(t, "2026-03-01T12:00:00Z", got["MODELVIGIL_TRIGGERED_AT"])
	assert.Empty(t, got["MODELVIGIL_VALUE"], "nothing was measured")
	assert.Equal(t, "3", got["MODELVIGIL_PARAM_EPOCHS"])
	assert.Equal(t, "first of its name", got["MODELVIGIL_PARAM_DATA_SET"])
	assert.Empty(t, got["MODELVIGIL_PARAM_NONE"])
	assert.NotContains(t, got, "MODELVIGIL_PARAM_")
	for _, name := range cluster.VariableNames {
		assert.Contains(t, got, name)
	}
}

func TestAResultIsReadWhateverItIs(t *testing.T) {
	succeeded := modelops.Succeeded
	tests := map[string]struct {
		text string
		want modelops.Outcome
	}{
		"nothing":                       {"", modelops.Outcome{State: succeeded}},
		"an object":                     {` {"model_version": "v8", "message": "good"} `, modelops.Outcome{State: succeeded, ModelVersion: "v8", Message: "good"}},
		"an object with other fields":   {`{"auc": 0.93}`, modelops.Outcome{State: succeeded}},
		"a version that is a list":      {`{"model_version": ["v8"], "message": "good"}`, modelops.Outcome{State: succeeded, Message: "good (passed over: model_version: must be a string or a number, got a list)"}},
		"a version that is an object":   {`{"model_version": {"name": "v8"}}`, modelops.Outcome{State: succeeded, Message: "(passed over: model_version: must be a string or a number, got an object)"}},
		"a text":                        {"all\n\tgood\x00", modelops.Outcome{State: succeeded, Message: "all good"}},
		"JSON that is cut off":          {`{"model_version": "v8", "mess`, modelops.Outcome{State: succeeded, Message: `{"model_version": "v8", "mess`}},
		"a failure":                     {`{"state": "failed", "message": "worse"}`, modelops.Outcome{State: modelops.Failed, Message: "worse"}},
		"null":                          {"null", modelops.Outcome{State: succeeded}},
		"text of bytes that aren't any": {"a\xffb", modelops.Outcome{State: succeeded, Message: "a\uFFFDb"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { assert.Equal(t, test.want, cluster.Result(test.text)) })
	}
	assert.Equal(t, modelops.Outcome{Message: "(passed over: model_version: must be a string or a number, got true or false)"},
		cluster.WithVersion(modelops.Outcome{}, "true"), "in an annotation")
	long := cluster.Result(strings.Repeat("ü", 2000)).Message
	assert.LessOrEqual(t, len(long), cluster.MaxMessageBytes)
	assert.True(t, strings.HasSuffix(long, "ü…"))
}
