package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/activities/notify"
	"github.com/modelvigil/modelvigil/internal/cloudevent"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

const noticeKey = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// audience is an HTTP endpoint that is told of decisions.
type audience struct {
	*httptest.Server
	mu     sync.Mutex
	heard  []heard
	answer http.HandlerFunc // nil: 200
}

type heard struct {
	header http.Header
	body   string
}

func startAudience(t *testing.T, answer http.HandlerFunc) *audience {
	t.Helper()
	a := &audience{answer: answer}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		a.mu.Lock()
		a.heard = append(a.heard, heard{r.Header, string(body)})
		answer := a.answer
		a.mu.Unlock()
		if answer != nil {
			answer(w, r)
		}
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *audience) got() []heard {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.heard)
}

// notifying is a worker's environment with a file of channels.
func notifying(t *testing.T, file string, env ...string) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "channels.yaml")
	require.NoError(t, os.WriteFile(path, []byte(file), 0o600))
	return append(env, "NOTIFICATIONS_FILE="+path, "NOTICE_KEY="+noticeKey, "TEMPORAL_UI_URL=http://localhost:8233")
}

// One channel hangs, one answers 500, one refuses: the retraining goes on and ends,
// and who can be told is told.
func TestNoRetrainingWaitsForAChannel(t *testing.T) {
	t.Parallel()
	const queue, model = "notify", "notify"
	trainer := startPipeline(t)
	release := make(chan struct{})
	hanging := startAudience(t, func(http.ResponseWriter, *http.Request) { <-release })
	t.Cleanup(func() { close(release) })
	broken := startAudience(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	refusing := startAudience(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
	lake := startAudience(t, nil)
	startWorker(t, queue, notifying(t, `
channels:
  hanging:  {kind: shoutrrr, url: {env: HANGING}}
  broken:   {kind: webhook, url: '`+broken.URL+`'}
  refusing: {kind: webhook, url: '`+refusing.URL+`'}
  lake:     {kind: webhook, url: '`+lake.URL+`', secret: {env: NOTICE_KEY}, teams: [payments]}
`, append(webhookEnv(trainer), "HANGING=generic://"+strings.TrimPrefix(hanging.URL, "http://")+"?disabletls=yes")...)...)

	_, stderr, code := starter(t, queue, "model_name: notify\nteam: search\nnotify: [{channel: lake}, {channel: pager}]\n", "apply", "-")
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, `notify[0].channel: "lake" is for policies of team payments, and this one's is "search"`)
	assert.Contains(t, stderr, `notify[1].channel: the worker has no "pager", only broken, hanging, lake, refusing; correct the name`)

	mustStarter(t, queue, `
model_name: notify
team: payments
notify:
  - {channel: hanging}
  - {channel: broken}
  - {channel: refusing}
  - {channel: lake, kinds: [triggered, succeeded]}
`, "apply", "-")
	mustStarter(t, queue, "", "publish", "--model", model, "--version", "v1", "--accuracy", "0.5")
	patience.Until(t, "the trainer is asked, and all are told", func() bool {
		return len(trainer.asked()) == 1 && len(hanging.got()) > 0 && len(broken.got()) > 1
	})
	trainer.finish()
	s := until(t, model, "it is retrained, the lake is told so, and who refuses has done so twice; the others are still tried", func(s monitor.Status) bool {
		return s.Retrainings.Succeeded == 1 && s.Notices.Delivered == 2 && s.Notices.Failed == 2
	})
	assert.Regexp(t, "^refusing: webhook: POST http://127.0.0.1:[0-9]+: 404 Not Found$", s.Notices.LastFailure)

	verifier, err := standardwebhooks.NewWebhook(noticeKey)
	require.NoError(t, err)
	var kinds []policy.Kind
	for _, h := range lake.got() {
		require.NoError(t, verifier.Verify([]byte(h.body), h.header))
		var event cloudevent.Event[notify.Notification]
		require.NoError(t, json.Unmarshal([]byte(h.body), &event))
		assert.Equal(t, event.ID, h.header.Get("Webhook-Id"))
		assert.Equal(t, "http://localhost:8233/namespaces/default/workflows/model-monitor%2Fnotify", event.Data.Link)
		kinds = append(kinds, event.Data.Decision.Kind)
	}
	assert.Equal(t, []policy.Kind{policy.Triggered, policy.Succeeded}, kinds, "in the order of the decisions")
	assert.Contains(t, hanging.got()[0].body, "notify v1 is to be retrained\naccuracy 0.5000 below threshold 0.9000\n")
}

// The worker dies while a channel is told: another one tells it again, by the same id.
func TestAWorkerKilledWhileItTellsTellsAgainByTheSameID(t *testing.T) {
	t.Parallel()
	const queue, model = "notify-kill", "notify-kill"
	release := make(chan struct{})
	lake := startAudience(t, func(http.ResponseWriter, *http.Request) { <-release })
	t.Cleanup(func() { close(release) })
	env := notifying(t, "channels: {lake: {kind: webhook, url: '"+lake.URL+"'}}")
	first := startWorker(t, queue, env...)
	mustStarter(t, queue, "model_name: notify-kill\nnotify: [{channel: lake, kinds: [triggered]}]\n", "apply", "-")
	mustStarter(t, queue, "", "publish", "--model", model, "--version", "v1", "--accuracy", "0.5")
	patience.Until(t, "it is being told", func() bool { return len(lake.got()) == 1 })
	first.kill()
	lake.mu.Lock()
	lake.answer = nil
	lake.mu.Unlock()
	startWorker(t, queue, env...)
	until(t, model, "it is told, and what settles it", func(s monitor.Status) bool { return s.Notices.Delivered == 2 })
	got := lake.got()
	require.Len(t, got, 3)
	assert.Equal(t, got[0].header.Get("Webhook-Id"), got[1].header.Get("Webhook-Id"))
	assert.Equal(t, got[0].body, got[1].body)
}

// The fleet's channels are told when it is frozen, by whomever, and when it goes on.
func TestTheFleetsChannelsAreToldOfFreezes(t *testing.T) {
	t.Parallel()
	const queue = "notify-fleet"
	chat, other := startAudience(t, nil), startAudience(t, nil)
	startWorker(t, queue, notifying(t, `
channels:
  chat:  {kind: shoutrrr, url: {env: CHAT}, teams: [payments]}
  other: {kind: webhook, url: '`+other.URL+`'}
fleet: [chat]
`, "CHAT=generic://"+strings.TrimPrefix(chat.URL, "http://")+"?disabletls=yes", "FLEET_BRAKE=1%/1h")...)
	mustStarter(t, queue, "", "freeze", "--team", "a", "--by", "ada", "--reason", "bad features")
	mustStarter(t, queue, "", "unfreeze", "--by", "ada")
	var events strings.Builder
	for i := range 15 {
		events.WriteString(breach("notify-fleet-"+string(rune('a'+i))) + "\n")
	}
	mustStarter(t, queue, events.String(), "publish", "--file", "-")
	patience.Until(t, "the chat is told of three", func() bool { return len(chat.got()) == 3 })
	got := chat.got()
	assert.Regexp(t, `^Retrainings are frozen\nteam a frozen since .+ by ada: bad features\nby ada\nsince .+\nhttp://localhost:8233/namespaces/default/workflows/model-fleet%2Fnotify-fleet\n`, got[0].body)
	assert.Regexp(t, `^Retrainings go on\nall models, 1 lifted\nby ada\n`, got[1].body)
	assert.Regexp(t, `^Retrainings are frozen\nall models frozen since .+ by the fleet brake: \d+ of \d+ models`, got[2].body)
	assert.Empty(t, other.got())
}
