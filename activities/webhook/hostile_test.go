package webhook_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/activities/webhook"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/modelops"
)

// A slow loris answers a byte at a time, for ever: the attempt ends with its
// timeout. What its status has accepted stays accepted.
func TestASlowLorisEndsWithTheTimeout(t *testing.T) {
	for name, test := range map[string]struct {
		begins  string
		accepts bool
	}{
		"in its status": {"HTTP/1.1 ", false},
		"in its header": {"HTTP/1.1 202 Accepted\r\nX-Slow: ", false},
		"in a refusal":  {"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 1000\r\n\r\n", false},
		"in its answer": {"HTTP/1.1 202 Accepted\r\nContent-Length: 1000\r\n\r\n", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			var wg sync.WaitGroup
			wg.Go(func() {
				for {
					connection, err := listener.Accept()
					if err != nil {
						return
					}
					answerSlowly(connection, test.begins)
				}
			})
			backend, err := webhook.New(webhook.Config{URL: "http://" + listener.Addr().String(), Timeout: time.Second})
			require.NoError(t, err)

			if test.accepts {
				patience.Until(t, "the status comes within an attempt's timeout", func() bool {
					_, err = backend.ScheduleRetraining(t.Context(), breach())
					return err == nil
				})
			} else {
				_, err = backend.ScheduleRetraining(t.Context(), breach())
				require.Error(t, err)
				assert.False(t, modelops.IsFinal(err), "%v", err)
			}
			require.NoError(t, listener.Close())
			wg.Wait()
		})
	}
}

// answerSlowly goes on until the other side has gone.
func answerSlowly(connection net.Conn, begins string) {
	_, err := http.ReadRequest(bufio.NewReader(connection))
	for text := begins; err == nil; text = "1" {
		_, err = connection.Write([]byte(text))
		time.Sleep(10 * time.Millisecond)
	}
	_ = connection.Close()
}

func TestAThousandAtOnceAreEachTakenOnce(t *testing.T) {
	var mu sync.Mutex
	taken := map[string]int{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		taken[r.Header.Get("webhook-id")]++
		mu.Unlock()
		w.WriteHeader(http.StatusAccepted)
	}))
	defer server.Close()
	backend, err := webhook.New(webhook.Config{URL: server.URL, Secret: secret})
	require.NoError(t, err)
	var wg sync.WaitGroup
	errs := make(chan error, 1000)
	for i := range 1000 {
		wg.Go(func() {
			_, err := backend.ScheduleRetraining(t.Context(), modelops.Request{RequestID: fmt.Sprint("r/", i), ModelName: "m"})
			errs <- err
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
	assert.Len(t, taken, 1000)
}
