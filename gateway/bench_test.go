package gateway

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"
)

// ndjson returns the lines of so many healthy events of so many models.
func ndjson(events, models int, now time.Time) []byte {
	var body bytes.Buffer
	for i := range events {
		fmt.Fprintf(&body, `{"timestamp":%q,"model_name":"model-%d","model_version":"v1","accuracy":%.4f,"latency_ms":%.1f,"drift_score":%.4f}`+"\n",
			now.Add(time.Duration(i)*time.Microsecond).UTC().Format(time.RFC3339Nano), i%models,
			0.93+float64(i%50)/1000, 100+float64(i*7919%90), 0.01+float64(i%80)/1000)
	}
	return body.Bytes()
}

// BenchmarkHTTP is the whole way over loopback, client and server in one process.
func BenchmarkHTTP(b *testing.B) {
	for _, events := range []int{100, 1000, 10_000} {
		for _, clients := range []int{1, 4} {
			b.Run(fmt.Sprintf("events=%d/clients=%d", events, clients), func(b *testing.B) { benchmarkHTTP(b, events, clients) })
		}
	}
}

func benchmarkHTTP(b *testing.B, events, clients int) {
	s := serve(b, Options{})
	body := ndjson(events, 100, time.Now())
	b.ReportAllocs()
	b.ResetTimer()
	var group sync.WaitGroup
	for c := range clients {
		group.Go(func() {
			for range (b.N + c) / clients {
				response, err := s.client.Post(s.url+"/v1/events", typeNDJSON, bytes.NewReader(body))
				if err != nil || response.StatusCode != http.StatusAccepted {
					b.Error("not accepted", err)
					return
				}
				_, _ = io.Copy(io.Discard, response.Body)
				_ = response.Body.Close()
			}
		})
	}
	group.Wait()
	b.ReportMetric(float64(b.N*events)/b.Elapsed().Seconds(), "events/s")
}
