package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/hub"
	"github.com/modelvigil/modelvigil/internal/patience"
)

// What becomes of a model's events while a request waits for them to be durable.
const (
	taken   = "taken"
	stopped = "stopped" // refused for good
	pending = "pending" // the server is away
)

func fate(model string) error {
	switch model {
	case stopped:
		return fmt.Errorf("%w: model-monitor/stopped", hub.ErrMonitorStopped)
	case pending:
		return away(model)
	}
	return nil
}

// A request is told that something was refused for good only where that is all it misses:
// what may be durable yet, or be so unseen, is worth publishing again.
func TestADurableAnswerSaysWhetherToSendAgainHoweverTheWaitEnds(t *testing.T) {
	ends := map[string]struct {
		detail string
		end    func(s *served, hangUp func())
	}{
		"the time is over": {"accepted, but not durable within 50ms; what no monitor has refused may be yet", func(*served, func()) {}},
		"the client hangs up": {
			"accepted, but not durable when the connection was closed; what no monitor has refused may be yet",
			func(_ *served, hangUp func()) { hangUp() },
		},
		"the gateway stops": {"accepted, but not durable when the gateway stopped: publish again what no monitor has refused", func(s *served, _ func()) {
			over, cancel := context.WithCancel(context.Background())
			cancel()
			_ = s.hub.Close(over)
		}},
	}
	for name, test := range ends {
		for _, models := range [][]string{{taken}, {stopped}, {pending}, {taken, stopped}, {taken, pending}, {stopped, pending}, {taken, stopped, pending}} {
			t.Run(name+" for "+strings.Join(models, ", "), func(t *testing.T) {
				isPending := models[len(models)-1] == pending
				isRefused := models[0] == stopped || len(models) > 1 && models[1] == stopped
				options := Options{DurableTimeout: patience.Limit}
				if isPending && name == "the time is over" {
					options.DurableTimeout = 50 * time.Millisecond
				}
				s := serve(t, options)
				s.temporal.setRefuse(fate)

				ctx, hangUp := context.WithCancel(t.Context())
				defer hangUp()
				request := httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1/events?durable=true", strings.NewReader(`{"model_name":"`+strings.Join(models, "\"}\n{\"model_name\":\"")+`"}`))
				request.Header.Set(contentType, typeNDJSON)
				recorder := httptest.NewRecorder()
				answered := make(chan struct{})
				go func() {
					defer close(answered)
					s.ServeHTTP(recorder, request)
				}()

				if isPending && options.DurableTimeout == patience.Limit {
					patience.Until(t, "it waits for what is pending alone", func() bool {
						return s.hub.Backlog().Events == 1 && len(s.gate.places("")) == 0
					})
					test.end(s, hangUp)
				}
				<-answered

				var answer said
				require.NoError(t, json.Unmarshal(recorder.Body.Bytes(), &answer))
				assert.EqualValues(t, len(models), answer.Accepted)
				switch {
				case isPending:
					assert.Equal(t, http.StatusGatewayTimeout, recorder.Code)
					assert.Contains(t, answer.Detail, test.detail)
					assert.Contains(t, answer.Detail, "it may count twice")
					assert.EqualValues(t, 1, answer.NotDurable[pending])
				case isRefused:
					assert.Equal(t, http.StatusConflict, recorder.Code)
					assert.Contains(t, answer.Detail, "accepted, but refused for good (")
				default:
					assert.Equal(t, http.StatusOK, recorder.Code)
				}
				if isRefused {
					assert.EqualValues(t, 1, answer.NotDurable[stopped])
				}
			})
		}
	}
}

// Nothing is wrong with what comes while the hub closes, when the time for requests to publish
// was over: another gateway takes it.
func TestWhatTheStopOvertakesIsToBeSentAgain(t *testing.T) {
	for _, path := range []string{"/v1/events", "/v1/events?durable=true"} {
		s := serve(t, Options{})
		require.NoError(t, s.hub.Close(t.Context()))
		answer := s.ask(t, path, good+"\n"+good, contentType, typeNDJSON)
		assert.Equal(t, http.StatusTooManyRequests, answer.status)
		assert.Equal(t, "5", answer.header.Get("Retry-After"))
		assert.Equal(t, []rejection{{0, "not now, send it again later: stopping"}, {1, "not now, send it again later: stopping"}}, answer.Rejected)
		assert.Equal(t, "of the 2 rejected 2 could not be taken now; send those again later", answer.Note)
	}
}
