package bench

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"text/tabwriter"
	"time"

	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	"github.com/modelvigil/modelvigil/gateway"
)

const (
	// gatewayClients publish at once, each on a connection of its own.
	gatewayClients = 4
	// gatewayBodies are what each client sends in turn. They are made before the
	// clock starts: whoever sends has its events at hand.
	gatewayBodies = 8
)

// GatewayReport is what the gateway takes, by the form of its requests.
type GatewayReport struct {
	Forms []GatewayThroughput `json:"forms"`
}

// GatewayThroughput is how many events became durable through the gateway.
type GatewayThroughput struct {
	Form          string `json:"form"`
	RequestEvents int    `json:"request_events"` // in one request
	Throughput
	Requests  int     `json:"requests"`
	BodyBytes int64   `json:"body_bytes"` // as sent
	P50       float64 `json:"p50_ms"`     // from a request sent until it is answered
	P99       float64 `json:"p99_ms"`
	// MicrosPerEvent is the processor time of an event, of clients, gateway, hub and
	// worker together: what else runs on the machine hardly changes it.
	MicrosPerEvent float64 `json:"cpu_micros_per_event"`
}

// gatewayForm is one way to send events.
type gatewayForm struct {
	name     string
	header   http.Header
	events   int // in one request
	encode   func(lines [][]byte) ([]byte, error)
	duration time.Duration
}

// RunGateway measures a gateway that listens on loopback in this process, with
// the clients beside it, and cleans up as Run does.
func RunGateway(ctx context.Context, c client.Client, options Options) (report GatewayReport, err error) {
	r, end, err := begin(c, options)
	if err != nil {
		return report, err
	}

	defer func() { err = end(err) }()
	lines := func(lines [][]byte) ([]byte, error) { return bytes.Join(lines, []byte("\n")), nil }
	for _, form := range []gatewayForm{
		{"NDJSON", http.Header{"Content-Type": {"application/x-ndjson"}}, r.Batch, lines, r.Duration},
		{"NDJSON, gzip", http.Header{"Content-Type": {"application/x-ndjson"}, "Content-Encoding": {"gzip"}}, r.Batch, zip, r.Duration / 3},
		{"JSON list", http.Header{"Content-Type": {"application/json"}}, r.Batch, list, r.Duration / 3},
		{"JSON", http.Header{"Content-Type": {"application/json"}}, 1, lines, r.Duration / 3},
	} {
		_, _ = fmt.Fprintf(r.Progress, "measuring the gateway, %s, %d models, %d a request\n", form.name, r.Models, form.events)
		measured, err := r.gateway(ctx, form)
		if err != nil {
			return report, fmt.Errorf("measure the gateway, %s: %w", form.name, err)
		}
		report.Forms = append(report.Forms, measured)
	}

	return report, nil
}

func zip(lines [][]byte) ([]byte, error) {
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, err := w.Write(bytes.Join(lines, []byte("\n")))
	err = errors.Join(err, w.Close())
	return zipped.Bytes(), err
}

func list(lines [][]byte) ([]byte, error) {
	return slices.Concat([]byte("["), bytes.Join(lines, []byte(",")), []byte("]")), nil
}

// gateway measures one form of requests.
func (r *runner) gateway(ctx context.Context, form gatewayForm) (t GatewayThroughput, err error) {
	models := r.models(fmt.Sprintf("gateway-%d", len(r.started)), min(r.Models, gatewayClients*gatewayBodies*form.events))
	bodies, err := r.bodies(models, form)
	if err != nil {
		return t, err
	}

	h := r.newHub(0)
	g := gateway.New(gateway.Options{})
	g.Open(h)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return t, errors.Join(err, h.Close(ctx))
	}

	server := &http.Server{Handler: g, ReadHeaderTimeout: time.Second}
	var serving errgroup.Group
	serving.Go(func() error { return server.Serve(listener) })
	url := "http://" + listener.Addr().String() + "/v1/events"

	t = GatewayThroughput{Form: form.name, RequestEvents: form.events, Throughput: Throughput{Models: len(models)}}
	var mu sync.Mutex
	var took []float64
	start, busy := time.Now(), processorTime()
	group, groupCtx := errgroup.WithContext(ctx)
	for c := range gatewayClients {
		group.Go(func() error {
			sent, times, err := load(groupCtx, url, form, bodies[c], start)
			mu.Lock()
			defer mu.Unlock()
			t.BodyBytes += sent
			took = append(took, times...)
			return err
		})
	}

	err = errors.Join(group.Wait(), server.Close())
	if served := serving.Wait(); !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	closeCtx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err = errors.Join(err, h.Close(closeCtx))
	if err != nil {
		return t, err
	}
	if slices.Sort(took); len(took) == 0 {
		return t, errors.New("no request was answered in time")
	}

	t.Requests = len(took)
	t.P50 = quantile(took, 0.5)
	t.P99 = quantile(took, 0.99)
	t.Events = int64(len(took) * form.events)
	t.Seconds = time.Since(start).Seconds()
	t.MicrosPerEvent = float64((processorTime() - busy).Microseconds()) / float64(t.Events)
	return t, r.count(ctx, models, &t.Throughput)
}

// bodies are those of each client: the events of all models in turn.
func (r *runner) bodies(models []string, form gatewayForm) (bodies [gatewayClients][gatewayBodies][]byte, err error) {
	i := 0
	for c := range bodies {
		for b := range bodies[c] {
			lines := make([][]byte, form.events)
			for l := range lines {
				lines[l], err = json.Marshal(healthy(models[i%len(models)], i))
				if err != nil {
					return bodies, err
				}
				i++
			}

			bodies[c][b], err = form.encode(lines)
			if err != nil {
				return bodies, err
			}
		}
	}

	return bodies, nil
}

// load is one client. It returns how many bytes it sent, and how long each request
// took in milliseconds.
func load(ctx context.Context, url string, form gatewayForm, bodies [gatewayBodies][]byte, start time.Time) (sent int64, took []float64, err error) {
	transport := &http.Transport{DisableCompression: true}
	defer transport.CloseIdleConnections()
	for i := 0; time.Since(start) < form.duration; i++ {
		body, began := bodies[i%len(bodies)], time.Now()
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
		if err != nil {
			return sent, took, err
		}

		request.Header = form.header
		response, err := transport.RoundTrip(request)
		if err != nil {
			return sent, took, err
		}

		answer, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil {
			return sent, took, err
		}
		if want := fmt.Appendf(nil, `{"accepted":%d,"rejected":[]`, form.events); !bytes.HasPrefix(answer, want) {
			return sent, took, fmt.Errorf("the gateway answers %s: %s", response.Status, answer)
		}

		sent += int64(len(body))
		took = append(took, float64(time.Since(began).Microseconds())/1000)
	}

	return sent, took, nil
}

// Print writes the report for a person.
func (r GatewayReport) Print(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(format string, args ...any) { _, _ = fmt.Fprintf(table, format+"\t\n", args...) }
	row("\ta request\tevents\tdurable events/s\trequests/s\tMB/s\tp50 ms\tp99 ms\tCPU µs/event\tmodels")
	for _, t := range r.Forms {
		row("%s\t%d\t%d\t%.0f\t%.0f\t%.1f\t%.2f\t%.2f\t%.2f\t%d", t.Form, t.RequestEvents, t.Events, t.EventsPerSecond,
			float64(t.Requests)/t.Seconds, float64(t.BodyBytes)/t.Seconds/1e6, t.P50, t.P99, t.MicrosPerEvent, t.Models)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%d clients and the gateway in one process, over loopback; every event was counted in its monitor.\n", gatewayClients)
	return err
}
