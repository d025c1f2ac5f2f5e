package notify_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/policy"
)

const fraudText = `accuracy 0.8000 below threshold 0.9500
rule accuracy: 0.8, its threshold is 0.95
by ada
since 2026-11-24 12:00:00 UTC
team payments
http://localhost:8233/namespaces/default/workflows/model-monitor%2Ffraud
modelvigil retrain fraud --force`

func TestAChatIsToldOnceAndOnlyWhatItAskedFor(t *testing.T) {
	endpoint := startReceiver(t, nil)
	host := strings.TrimPrefix(endpoint.URL, "http://")
	for declared, text := range map[string]func(body []byte) string{
		"generic://" + host + "/x?disabletls=yes": func(body []byte) string { return string(body) },
		"generic://" + host + "/x?disabletls=yes&template=json": func(body []byte) string {
			var message struct{ Title, Message string }
			require.NoError(t, json.Unmarshal(body, &message))
			assert.Equal(t, "fraud v7 could not be retrained", message.Title)
			return message.Message
		},
		"mattermost://bot@" + host + "/token/town-square?disabletls=yes": func(body []byte) string { // the form of Slack's webhooks
			var message struct{ Text string }
			require.NoError(t, json.Unmarshal(body, &message))
			return message.Text
		},
	} {
		before := len(endpoint.got())
		c := channel(t, "{kind: shoutrrr, url: {env: CHAT}}", map[string]string{"CHAT": declared})
		settled := notice(policy.Succeeded, policy.Failed)
		settled.OnlyEnds = true
		require.NoError(t, c.Tell(t.Context(), settled))
		require.NoError(t, c.Tell(t.Context(), notice(policy.Failed)))
		require.NoError(t, c.Tell(t.Context(), notice(policy.Failed)), "the server has not heard that it was told")
		got := endpoint.got()[before:]
		require.Len(t, got, 1, declared)
		assert.Equal(t, "fraud v7 could not be retrained\n"+fraudText, text(got[0].body), declared)
	}
}

func TestAChatThatFailsIsTriedAgainAndShowsNoSecret(t *testing.T) {
	endpoint := startReceiver(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusForbidden) })
	for _, host := range []string{strings.TrimPrefix(endpoint.URL, "http://"), "127.0.0.1:1"} {
		for _, declared := range []string{
			"generic://" + host + "/hunter2?disabletls=yes&token=hunter2", "mattermost://bot@" + host + "/hunter2?disabletls=yes",
			"rocketchat://" + host + "/hunter2/hunter2/ops", "ntfy://u:hunter2@" + host + "/hunter2?scheme=http", "gotify://" + host + "/Ahunter2.hunter2?disabletls=yes",
			"smtp://u:hunter2@" + host + "/?from=a@example.com&to=hunter2@example.com",
		} {
			if strings.HasPrefix(declared, "smtp") && host != "127.0.0.1:1" {
				continue // it would wait for a greeting
			}
			err := channel(t, "{kind: shoutrrr, url: {env: CHAT}}", map[string]string{"CHAT": declared}).Tell(t.Context(), notice(policy.Failed))
			require.Error(t, err, declared)
			assert.False(t, modelops.IsFinal(err))
			assert.NotContains(t, err.Error(), "hunter2")
			service, _, _ := strings.Cut(declared, ":")
			assert.True(t, strings.HasPrefix(err.Error(), service+": "), err)
		}
	}
}

func TestAChatThatHangsHoldsNobodyAndIsNotAskedForEver(t *testing.T) {
	first, release := make(chan struct{}), make(chan struct{})
	var requests atomic.Int32
	endpoint := startReceiver(t, func(http.ResponseWriter, *http.Request) {
		if requests.Add(1) == 1 {
			<-first
			return
		}
		<-release
	})
	t.Cleanup(func() { close(release) }) // before the receiver's own, which waits for its answers
	c := channel(t, "{kind: shoutrrr, url: {env: CHAT}}", map[string]string{"CHAT": "generic://" + strings.TrimPrefix(endpoint.URL, "http://") + "?disabletls=yes"})
	for i := range 9 {
		ctx, cancel := context.WithCancel(t.Context())
		n := notice(policy.Failed)
		n.ID = fmt.Sprint(i)
		told := make(chan error, 1)
		go func() { told <- c.Tell(ctx, n) }()
		if i < 8 {
			patience.Until(t, "the chat is asked", func() bool { return len(endpoint.got()) == i+1 })
			cancel()
			require.ErrorContains(t, <-told, "generic: no answer: context canceled")
		} else {
			require.EqualError(t, <-told, "generic: 8 earlier messages have not come back yet")
		}
		cancel()
	}
	close(first) // it alone: whoever comes back later frees a place, in which an unknown notice would be sent
	late := notice(policy.Failed)
	late.ID = "0" // it came, after all
	patience.Until(t, "it is known to have come", func() bool { return c.Tell(t.Context(), late) == nil })
	assert.Len(t, endpoint.got(), 8)
}

func TestMailHasASubjectAndNoHeadersOfSomebodyElse(t *testing.T) {
	mails := make(chan string, 1)
	address := startMailServer(t, mails)
	c := channel(t, "{kind: shoutrrr, url: {env: MAIL}}", map[string]string{"MAIL": "smtp://" + address + "/?from=modelvigil@example.com&to=ops@example.com&usestarttls=no"})
	n := notice(policy.AwaitingApproval)
	n.ModelName = "modèle\r\nBcc: everybody@example.com"
	require.NoError(t, c.Tell(t.Context(), n))
	header, body, _ := strings.Cut(<-mails, "\r\n\r\n")
	assert.Contains(t, header, "Subject: =?utf-8?q?mod=C3=A8le_Bcc:_everybody@=E2=80=8Bexample.com_v7_waits_for_ap?=", "no address that a reader makes a link of")
	assert.Contains(t, header, "To: ops@example.com")
	assert.NotContains(t, header, "\nBcc")
	assert.Contains(t, body, "accuracy 0.8000 below threshold 0.9500\r\n")
}

// startMailServer takes mails by SMTP, without any of its extensions.
func startMailServer(t *testing.T, mails chan<- string) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		defer func() { _ = connection.Close() }()
		say := func(text string) { _, _ = fmt.Fprint(connection, text, "\r\n") }
		say("220 test")
		lines := bufio.NewReader(connection)
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				return
			}
			switch strings.TrimSpace(line) {
			case "DATA":
				say("354 go on")
				var mail strings.Builder
				for line, err := lines.ReadString('\n'); err == nil && line != ".\r\n"; line, err = lines.ReadString('\n') {
					mail.WriteString(line)
				}
				mails <- mail.String()
				say("250 taken")
			case "QUIT":
				say("221 bye")
				return
			default:
				say("250 ok")
			}
		}
	}()
	return listener.Addr().String()
}
