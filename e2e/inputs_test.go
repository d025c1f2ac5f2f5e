package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/monitor"
)

// signalWith sends one signal with arguments as any client may: each is JSON, or what
// passes for it.
func signalWith(t *testing.T, model string, arguments ...string) {
	t.Helper()
	input := &commonpb.Payloads{}
	for _, argument := range arguments {
		input.Payloads = append(input.Payloads, rawJSON([]byte(argument)).Payload())
	}
	_, err := server.Client().WorkflowService().SignalWorkflowExecution(t.Context(), &workflowservice.SignalWorkflowExecutionRequest{
		Namespace: client.DefaultNamespace, WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: contract.WorkflowID(model)},
		SignalName: contract.SignalMetric, Input: input, RequestId: uuid.NewString(),
	})
	require.NoError(t, err)
}

// An event as people have it means the same by whichever way it comes.
func TestEveryWayInReadsTheSameEvents(t *testing.T) {
	t.Parallel()
	const queue, model = "inputs", "inputs"
	startWorker(t, queue)
	g := startGateway(t, queue)
	mustStarter(t, queue, "model_name: "+model+"\ncooldown: 0s\n", "apply", "-")
	const cloud = `{"specversion":"1.0","id":"1","source":"/serving","type":"event","time":"2026-03-01T10:00:00+0000","data":%s}`
	quoted := func(text string) string {
		encoded, err := json.Marshal(text)
		require.NoError(t, err)
		return string(encoded)
	}
	ways := map[string]func(t *testing.T, event string) bool{
		"signal": func(t *testing.T, event string) bool {
			signalWith(t, model, event)
			return true
		},
		"gateway": func(t *testing.T, event string) bool {
			return g.publish(t, "/v1/events?durable=true", event, asJSON...).Accepted == 1
		},
		"gateway, NDJSON": func(t *testing.T, event string) bool {
			return g.publish(t, "/v1/events?durable=true", event+"\n", asNDJSON...).Accepted == 1
		},
		"gateway, CloudEvent": func(t *testing.T, event string) bool {
			body := fmt.Sprintf(cloud, strings.TrimPrefix(event, "\ufeff"))
			return g.publish(t, "/v1/events?durable=true", body, "Content-Type", "application/cloudevents+json").Accepted == 1
		},
		"gateway, CloudEvent of text": func(t *testing.T, event string) bool {
			body := fmt.Sprintf(cloud, quoted(strings.TrimPrefix(event, "\ufeff")))
			return g.publish(t, "/v1/events?durable=true", "\ufeff"+body, "Content-Type", "application/cloudevents+json").Accepted == 1
		},
		"publish --file": func(t *testing.T, event string) bool {
			return strings.Contains(mustStarter(t, queue, event, "publish", "--file", "-"), "published 1 event")
		},
	}
	events := int64(0)
	for what, fields := range map[string]string{
		"an offset without a colon":     `"timestamp":"2026-03-01T10:00:00+0000","accuracy":0.95`,
		"a space between date and time": `"timestamp":"2026-03-01 10:00:00Z","accuracy":0.95`,
		"Unix seconds":                  `"timestamp":1772370000,"accuracy":0.95`,
		"Unix milliseconds with words":  `"timestamp":"1772370000123","accuracy":0.95`,
		"a version that is a number":    `"model_version":7.10,"accuracy":0.95`,
		"null for what is absent":       `"timestamp":null,"model_version":null,"accuracy":0.95,"latency_ms":null,"metrics":null`,
	} {
		for way, send := range ways {
			for _, mark := range []string{"", "\ufeff"} {
				assert.True(t, send(t, mark+`{"model_name":"`+model+`",`+fields+`}`), "%s by %s", what, way)
				events++
			}
		}
	}

	s := until(t, model, "every event is counted", func(s monitor.Status) bool { return s.Events+s.Rejected == events })
	assert.Zero(t, s.Rejected, s.Rejections)
	assert.EqualValues(t, 2*len(ways), s.Versions["7.10"].Metrics["accuracy"].Count, "a number is kept as it is written")
	_, stderr, code := starter(t, queue, "", "publish", "--model", model, "--accuracy", "0.95", "--timestamp", "2026-03-01T10:00:00")
	assert.Equal(t, 2, code)
	assert.Contains(t, stderr, "flag --timestamp: must say its zone: write 2026-03-01T10:00:00Z if 2026-03-01T10:00:00 is UTC, or add an offset such as +02:00")
	mustStarter(t, queue, "", "publish", "--model", model, "--accuracy", "0.95", "--timestamp", "1772370000")
}

// What one bad element, or one argument too many, could take with it.
func TestNothingOfASignalVanishesUncounted(t *testing.T) {
	t.Parallel()
	const queue, model = "uncounted", "uncounted"
	startWorker(t, queue)
	mustStarter(t, queue, "model_name: "+model+"\n", "apply", "-")
	good := `{"model_name":"` + model + `","accuracy":0.95}`
	bad := `{"model_name":"` + model + `","accuracy":NaN}`

	signalWith(t, model, good, "["+good+","+bad+","+good+"]", bad)

	s := until(t, model, "all is counted", func(s monitor.Status) bool { return s.Events+s.Rejected == 5 })
	assert.EqualValues(t, 3, s.Events)
	assert.EqualValues(t, 2, s.Rejected)
	assert.Contains(t, s.Rejections[0].Reason, "[1]: not JSON")

	g := startGateway(t, queue)
	answer := g.publish(t, "/v1/events?durable=true", "["+good+","+bad+"]", asJSON...)
	assert.EqualValues(t, 1, answer.Accepted)
	assert.Len(t, answer.Rejected, 1)
}
