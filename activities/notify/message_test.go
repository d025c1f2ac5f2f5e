package notify

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/monitor/fleet"
	"github.com/modelvigil/modelvigil/policy"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func TestANoticeSaysWhatWhyAndWhatToDo(t *testing.T) {
	tests := map[string]struct {
		notice monitor.Notice
		link   string
		want   string
	}{
		"a trigger that waits for approval": {
			monitor.Notice{
				ModelName: "fraud", Team: "payments", Until: noon.Add(4 * time.Hour),
				Decision: monitor.Decision{
					At: noon, Kind: policy.AwaitingApproval, ModelVersion: "v7", Rule: "accuracy", Reason: "accuracy 0.8000 below threshold 0.9500",
					Value: metric.Some(0.8), Threshold: metric.Some(0.95),
				},
			},
			"http://localhost:8233/namespaces/default/workflows/model-monitor%2Ffraud",
			`fraud v7 waits for approval to be retrained
accuracy 0.8000 below threshold 0.9500
rule accuracy: 0.8, its threshold is 0.95
since 2026-11-24 12:00:00 UTC, until 2026-11-24 16:00:00 UTC
team payments
http://localhost:8233/namespaces/default/workflows/model-monitor%2Ffraud
modelvigil approve fraud
modelvigil reject fraud`,
		},
		"a pause by an operator": {
			monitor.Notice{ModelName: "fraud", Decision: monitor.Decision{At: noon, Kind: policy.Paused, Reason: "labels\nare mended", By: "ada"}},
			"",
			"fraud is paused\nlabels are mended\nby ada\nsince 2026-11-24 12:00:00 UTC\nmodelvigil resume fraud",
		},
		"a success is of a moment": {
			monitor.Notice{ModelName: "fraud", Decision: monitor.Decision{At: noon, Kind: policy.Succeeded, ModelVersion: "v8"}},
			"",
			"fraud v8 has been retrained\nat 2026-11-24 12:00:00 UTC",
		},
		"a name that a shell would take apart": {
			monitor.Notice{ModelName: "it's; rm", Decision: monitor.Decision{At: noon, Kind: policy.Failed}},
			"",
			"it's; rm could not be retrained\nsince 2026-11-24 12:00:00 UTC\nmodelvigil retrain 'it'\\''s; rm' --force",
		},
		"a name that nobody could copy": {
			monitor.Notice{ModelName: "a\r\nBcc: b", Decision: monitor.Decision{At: noon, Kind: policy.Failed}},
			"",
			"a Bcc: b could not be retrained\nsince 2026-11-24 12:00:00 UTC",
		},
		"a freeze of the fleet": {
			monitor.Notice{Decision: monitor.Decision{At: noon, Kind: policy.FleetFrozen, Reason: "all models frozen", By: fleet.BrakeName}},
			"",
			"Retrainings are frozen\nall models frozen\nby the fleet brake\nsince 2026-11-24 12:00:00 UTC\nmodelvigil list\nmodelvigil unfreeze",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := messageOf(test.notice, test.link, asItIs)
			assert.Equal(t, test.want, m.title+"\n"+m.text())
		})
	}
}

func TestEveryDecisionHasWords(t *testing.T) {
	for _, kind := range append(policy.Notifiable(), policy.FleetFrozen, policy.FleetUnfrozen) {
		assert.NotEmpty(t, phrases[kind], kind)
	}
}

func TestAnErrorShowsNoPartOfAURL(t *testing.T) {
	const secret = "smtp://ada%40example.com:hunter2%2Fx@mail.example.com:465/?from=a@example.com&to=b@example.com&auth=plain"
	for given, want := range map[string]string{
		"dial tcp: lookup mail.example.com: no such host":    "dial tcp: lookup …: no such host",
		"535 hunter2/x is no password of ada@example.com":    "535 … is no password of …",
		"hunter2%2Fx and " + secret:                          "… and smtp:…",
		"553 b@example.com: mailbox name not allowed\nagain": "553 …: mailbox name not allowed again",
	} {
		assert.Equal(t, want, scrubbed(errors.New(given), secret))
	}
}
