package airflow_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/modelops"
)

const oneXCom = `{"xcom_entries": [{"task_id": "train", "map_index": -1, "timestamp": "2026-03-01T12:00:00Z"}]}`

func TestAModelVersionIsWhatTheXComHolds(t *testing.T) {
	long := strings.Repeat("v", metric.MaxModelVersionBytes+1)
	tests := map[string]struct {
		list, value      http.HandlerFunc
		version, message string
		err              string
	}{
		"a text":                          {says(200, oneXCom), says(200, `{"value": "v8"}`), "v8", "", ""},
		"a text that is encoded twice":    {says(200, oneXCom), says(200, `{"value": "\"v8\""}`), "v8", "", ""},
		"a number":                        {says(200, oneXCom), says(200, `{"value": 8}`), "8", "", ""},
		"a number as a text":              {says(200, oneXCom), says(200, `{"value": "8"}`), "8", "", ""},
		"a list":                          {says(200, oneXCom), says(200, `{"value": ["v8"]}`), "", "its model version is passed over: model_version: must be a string or a number, got a list", ""},
		"a list that is encoded twice":    {says(200, oneXCom), says(200, `{"value": "[\"v8\"]"}`), "", "its model version is passed over: model_version: must be a string or a number, got a list", ""},
		"an object":                       {says(200, oneXCom), says(200, `{"value": {"model_version": "v8"}}`), "", "its model version is passed over: model_version: must be a string or a number, got an object", ""},
		"a truth value":                   {says(200, oneXCom), says(200, `{"value": true}`), "", "its model version is passed over: model_version: must be a string or a number, got true or false", ""},
		"null":                            {says(200, oneXCom), says(200, `{"value": null}`), "", "", ""},
		"what can't be one":               {says(200, oneXCom), says(200, `{"value": "`+long+`"}`), "", "its model version is passed over: model_version: must be 0 to 200 bytes", ""},
		"none":                            {says(200, `{"xcom_entries": []}`), nil, "", `its model version is passed over: the XCom "model_version" of any task is not there`, ""},
		"one that we may not read":        {says(403, `{"detail": "Forbidden"}`), nil, "", "its model version is passed over: GET /api/v2/dags/retrain/dagRuns/", ""},
		"one that can't be read just now": {says(200, oneXCom), says(500, ""), "", "", "500 Internal Server Error"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			request := breach()
			answers := map[string]http.HandlerFunc{"GET ": isRun(request, "success"), "GET /taskInstances/~/xcomEntries": test.list}
			if test.value != nil {
				answers["GET /taskInstances/train/xcomEntries/model_version"] = test.value
			}
			got, err := newBackend(t, stage(t, answers)).RetrainingOutcome(t.Context(), request, modelops.Job{})
			if test.err != "" {
				require.ErrorContains(t, err, test.err)
				assert.False(t, modelops.IsFinal(err))
				return
			}
			require.NoError(t, err)
			assert.Equal(t, modelops.Succeeded, got.State)
			assert.Equal(t, test.version, got.ModelVersion)
			assert.True(t, strings.HasPrefix(got.Message, test.message) && (got.Message == "") == (test.message == ""), got.Message)
		})
	}
}

func TestAFailureIsInTheWordsOfTheFirstTaskThatFailed(t *testing.T) {
	const one = `{"task_instances": [{"task_id": "train", "map_index": -1, "try_number": 2}], "total_entries": 1}`
	many := `{"task_instances": [{"task_id": "train", "map_index": 3, "try_number": 1}, {"task_id": "train", "map_index": 1}, {"task_id": "score", "map_index": -1}], "total_entries": 12}`
	failure := `{"event": "Task failed with exception", "level": "error", "error_detail": [{"exc_type": "MemoryError", "exc_value": ""}, {"exc_type": "OSError", "exc_value": "its cause"}]}`
	tests := map[string]struct {
		tasks, log http.HandlerFunc
		want       string
	}{
		"an exception":                     {says(200, one), says(200, `{"event": "begun"}`+"\n"+failure+"\n"+`{"event": "later", "level": "error"}`), "task train failed: MemoryError"},
		"no exception, but an error":       {says(200, one), says(200, `{"event": "out of", "level": "warning"}`+"\n"+`{"event": "killed\nby signal 9", "level": "critical"}`), "task train failed: killed by signal 9"},
		"records of another form":          {says(200, one), says(200, `"a text" {"event": 1} {"error_detail": "none"}`+failure), "task train failed: MemoryError"},
		"a log that is none":               {says(200, one), says(200, "<html>"), "task train failed"},
		"a log that breaks off":            {says(200, one), says(200, failure+`{"ev`), "task train failed: MemoryError"},
		"a log that we may not read":       {says(200, one), says(403, `{"detail": "Forbidden"}`), "task train failed"},
		"many tasks":                       {says(200, many), says(200, failure), "task train[3] failed: MemoryError; so did train[1], score and 9 more"},
		"no task":                          {says(200, `{"task_instances": [], "total_entries": 0}`), nil, "the DAG run failed, and none of its tasks did: it was marked so, or took longer than its dagrun_timeout"},
		"an exception of a thousand lines": {says(200, one), says(200, strings.Replace(failure, `"exc_value": ""`, `"exc_value": "`+strings.Repeat(`long\n`, 1000)+`"`, 1)), "task train failed: MemoryError: long long"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			request := breach()
			answers := map[string]http.HandlerFunc{"GET ": isRun(request, "failed"), "GET /taskInstances": test.tasks}
			for _, try := range []string{"1", "2"} {
				if test.log != nil {
					answers["GET /taskInstances/train/logs/"+try] = test.log
				}
			}
			got, err := newBackend(t, stage(t, answers)).RetrainingOutcome(t.Context(), request, modelops.Job{})
			require.NoError(t, err)
			assert.Equal(t, modelops.Failed, got.State)
			if strings.Contains(name, "thousand") {
				assert.True(t, strings.HasPrefix(got.Message, test.want))
				assert.LessOrEqual(t, len(got.Message), 1000)
				return
			}
			assert.Equal(t, test.want, got.Message)
		})
	}
}

func TestAStateThatIsNoneIsAskedAgain(t *testing.T) {
	request := breach()
	_, err := newBackend(t, stage(t, map[string]http.HandlerFunc{"GET ": isRun(request, "restarting")})).RetrainingOutcome(t.Context(), request, modelops.Job{})
	require.ErrorContains(t, err, `its state is "restarting", which is none of queued, running, success and failed`)
	assert.False(t, modelops.IsFinal(err))
}

func TestARunThatIsNotOursIsNotFollowed(t *testing.T) {
	for name, run := range map[string]string{"no conf": `{"state": "success", "conf": null}`, "another's": `{"state": "success", "conf": {"request_id": ["?"]}}`} {
		t.Run(name, func(t *testing.T) {
			b := newBackend(t, stage(t, map[string]http.HandlerFunc{"GET ": says(200, run)}))
			_, err := b.RetrainingOutcome(t.Context(), breach(), modelops.Job{})
			require.ErrorContains(t, err, "it is a run that is not this retraining: its conf carries another request_id")
			assert.True(t, modelops.IsFinal(err))
			require.NoError(t, b.CancelRetraining(t.Context(), breach(), modelops.Job{}), "and left alone")
		})
	}
}
