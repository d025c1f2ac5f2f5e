package notify_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/activities"
	"github.com/modelvigil/modelvigil/activities/notify"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

const key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// open makes the channels of a file.
func open(t *testing.T, file string, environment map[string]string) (activities.Notices, error) {
	t.Helper()
	s := notify.Settings{File: write(t, file), UI: "http://localhost:8233/"}
	return s.Open(notify.Process{Environment: environment, Namespace: "default", FleetID: "model-fleet/q", Logger: slog.New(slog.DiscardHandler)})
}

// channel is the one named c of a file.
func channel(t *testing.T, declaration string, environment map[string]string) activities.Channel {
	t.Helper()
	notices, err := open(t, "channels:\n  c: "+declaration+"\n", environment)
	require.NoError(t, err)
	return notices.Channels["c"]
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// notice is of a decision about fraud v7.
func notice(kind policy.Kind, ends ...policy.Kind) monitor.Notice {
	return monitor.Notice{
		ID: "model-monitor/fraud/0b7f/notice/" + string(kind), Channel: "c", ModelName: "fraud", Team: "payments", Ends: ends,
		Decision: monitor.Decision{
			At: noon, Kind: kind, ModelVersion: "v7", Rule: "accuracy", Reason: "accuracy 0.8000 below threshold 0.9500",
			Value: metric.Some(0.8), Threshold: metric.Some(0.95), By: "ada",
		},
	}
}

func TestAFileDeclaresChannelsOfEveryKind(t *testing.T) {
	notices, err := open(t, `
channels:
  chat:   {kind: shoutrrr, url: {env: CHAT}, rate: 20/1m, teams: [payments]}
  mail:   {kind: shoutrrr, url: {file: `+write(t, "smtp://mail.example.com/?from=a@example.com&to=b@example.com\n")+`}}
  alerts: {kind: alertmanager, url: [http://a:9093, http://b:9093/], labels: {severity: page}, username: u, password: {env: KEY}}
  bearer: {kind: alertmanager, url: https://alerts.example.com/prefix, token: {env: KEY}}
  lake:   {kind: webhook, url: https://lake.example.com/decisions, secret: {env: KEY}}
fleet: [chat, alerts]
`, map[string]string{"CHAT": "slack://hook:WNA3PBYV6-F20DUQND3RQ-Webc4MAvoacrpPakR8phF0zi@webhook", "KEY": key})
	require.NoError(t, err)
	assert.Equal(t, []string{"alerts", "bearer", "chat", "lake", "mail"}, slices.Sorted(maps.Keys(notices.Channels)))
	assert.Equal(t, []string{"chat", "alerts"}, notices.Fleet)
	assert.Equal(t, "alertmanager", notices.Channels["alerts"].Kind)

	for team, name := range map[string]string{"payments": "chat", "search": "mail", "": "lake"} {
		_, err = notices.Channels.For(team, name)
		require.NoError(t, err)
	}
	_, err = notices.Channels.For("search", "chat")
	require.EqualError(t, err, `"chat" is for policies of team payments, and this one's is "search"`)
	assert.True(t, modelops.IsFinal(err))
	_, err = notices.Channels.For("search", "chatt")
	require.EqualError(t, err, `the worker has no "chatt", only alerts, bearer, chat, lake, mail; correct the name, or declare it in NOTIFICATIONS_FILE`)
}

func TestWithoutAFileThereAreNoChannels(t *testing.T) {
	notices, err := notify.Settings{}.Open(notify.Process{})
	require.NoError(t, err)
	_, err = notices.Channels.For("", "chat")
	require.EqualError(t, err, `the worker has no "chat", and no other channel: NOTIFICATIONS_FILE declares them`)
}

func TestEveryFaultIsNamed(t *testing.T) {
	tests := map[string]struct {
		file   string
		faults []string
	}{
		"unknown fields": {
			"channel: {}\nchannels: {a: {kind: webhook, ur: x}}",
			[]string{"channel: unknown field; did you mean channels?", "channels.a.ur: unknown field; did you mean url?"},
		},
		"kinds": {
			"channels: {a: {kind: pigeon}, b: {url: x}, c: 7}",
			[]string{"channels.a.kind: must be one of alertmanager, shoutrrr, webhook", "channels.b.kind: must be", "channels.c.kind: must be"},
		},
		"a secret in the file itself": {
			"channels: {a: {kind: shoutrrr, url: slack://hook:hunter2@webhook}, b: {kind: webhook, url: 'http://x', secret: " + key + "}}",
			[]string{"channels.a.url: must be {env: VARIABLE} or {file: PATH}", "channels.b.secret: must be {env: VARIABLE} or {file: PATH}"},
		},
		"URLs of no service": {
			"channels: {a: {kind: shoutrrr, url: {env: NONE}}, b: {kind: shoutrrr, url: {env: PIGEON}}, c: {kind: shoutrrr, url: {env: SLACK}}, d: {kind: shoutrrr}, e: {kind: shoutrrr, url: {env: LOG}}}",
			[]string{
				"channels.a.url: the environment has no NONE", "channels.b.url: must be a URL of shoutrrr that begins with bark://, discord://, ", "channels.c.url: is none of slack: ",
				"channels.d.url: is missing; {env: VARIABLE}", "channels.e.url: must be a URL of shoutrrr",
			},
		},
		"what Alertmanagers don't take": {
			"channels: {a: {kind: alertmanager}, b: {kind: alertmanager, url: [x, 'http://u:hunter2@y'], labels: {0x: a, kind: b}, username: u}, c: {kind: alertmanager, url: 7}}",
			[]string{
				"channels.a.url: is missing; such as http://alertmanager:9093", "channels.b.url: must be an absolute", "channels.b.url: must be an absolute",
				"channels.b.labels.0x: must be a name", "channels.b.labels.kind: every alert has it", "channels.b.password: username and password go together",
				"channels.c.url: must be a URL, or a list",
			},
		},
		"what all have": {
			"channels: {a: {kind: webhook, url: 'http://x', rate: 20, teams: x}, b: {kind: webhook, url: 'http://x', rate: 0/1m}, 'two words': {kind: webhook}}",
			[]string{
				"channels.a.teams: must be a list, got a string", "channels.a.rate: must be a number of notices and a time of 1s or more such as 20/1m",
				"channels.b.rate: must be", "channels.two words.name: must be 1 to 100 of",
			},
		},
		"a fleet's that isn't there": {"channels: {a: {kind: webhook, url: 'http://x'}}\nfleet: [a, b]", []string{`fleet[1]: channels has no "b", only a`}},
		"other shapes":               {"channels: [a]\nfleet: a", []string{"channels: must be a mapping of names to settings", "fleet: must be a list of channels"}},
		"nothing":                    {"# nothing yet", []string{"must be a mapping with `channels`"}},
	}
	environment := map[string]string{"PIGEON": "pigeon://hunter2", "SLACK": "slack://hunter2", "LOG": "logger://"}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := open(t, test.file, environment)
			require.Error(t, err)
			lines := strings.Split(err.Error(), "\n")
			require.Len(t, lines, len(test.faults), err)
			for i, fault := range test.faults {
				_, line, _ := strings.Cut(lines[i], "/file: ")
				assert.True(t, strings.HasPrefix(line, fault), "%q begins with %q", line, fault)
				assert.True(t, strings.HasPrefix(lines[i], "NOTIFICATIONS_FILE: "), lines[i])
			}
			assert.NotContains(t, err.Error(), "hunter2")
			assert.NotContains(t, err.Error(), key)
		})
	}
	for _, address := range []string{"localhost:8233", "ftp://x", "http://u:hunter2@x", "http://x?y"} {
		_, err := notify.Settings{UI: address}.Open(notify.Process{})
		require.ErrorContains(t, err, "TEMPORAL_UI_URL: must be an absolute http or https URL")
		assert.NotContains(t, err.Error(), "hunter2")
	}
}

func TestARateLetsTheOthersComeLater(t *testing.T) {
	endpoint := startReceiver(t, nil)
	c := channel(t, "{kind: webhook, url: '"+endpoint.URL+"', rate: 3/1h}", nil)
	for i := range 3 {
		n := notice(policy.Triggered)
		n.ID = fmt.Sprint(i)
		require.NoError(t, c.Tell(t.Context(), n))
	}
	err := c.Tell(t.Context(), notice(policy.Triggered))
	require.ErrorContains(t, err, "the channel's rate is used up (retry after ")
	assert.True(t, modelops.IsThrottled(err))
	assert.Len(t, endpoint.got(), 3)
}

func TestAChannelIsCheckedWithoutTellingAnybody(t *testing.T) {
	endpoint := startReceiver(t, nil)
	for declaration, good := range map[string]bool{
		"{kind: webhook, url: '" + endpoint.URL + "'}":                              true,
		"{kind: webhook, url: 'http://127.0.0.1:1'}":                                false,
		"{kind: alertmanager, url: ['" + endpoint.URL + "', 'http://127.0.0.1:1']}": false,
		"{kind: shoutrrr, url: {env: CHAT}}":                                        true,
	} {
		declared := channel(t, declaration, map[string]string{"CHAT": "generic://127.0.0.1:1/x"}).(activities.DeclaredChannel)
		err := declared.Channel.(modelops.Checker).Check(context.Background())
		assert.Equal(t, good, err == nil, "%s: %v", declaration, err)
	}
	assert.Empty(t, endpoint.got())
}
