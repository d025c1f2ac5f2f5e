package otlp

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/modelvigil/modelvigil/internal/toll"
	"github.com/modelvigil/modelvigil/metric"
)

// mostOfARequest is what a request may cost, from its bytes to its answer. One
// histogram may always become 10,000 events.
var mostOfARequest = toll.Most{BytesPerByte: 800, Bytes: 8 << 20, WorkPerByte: 4000, Work: 128 << 20}

// judging judges events as a hub does, and forgets them.
type judging struct{}

func (judging) Sender(context.Context) string { return "" }

func (judging) Rejected(context.Context, int64) {}

func (judging) Reserve(context.Context, int64) error { return nil }

func (judging) Check(_ context.Context, event *metric.Event) error { return event.Validate(time.Now()) }

func (j judging) Publish(ctx context.Context, event metric.Event) error { return j.Check(ctx, &event) }

// holdRequest holds a body against what it may cost.
func holdRequest(t testing.TB, f *form, body []byte) {
	t.Helper()
	h := New(judging{}, Mapping{}, slog.New(slog.DiscardHandler))
	var answer *httptest.ResponseRecorder
	mostOfARequest.Hold(t, len(body), func() {
		answer = httptest.NewRecorder()
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/metrics", bytes.NewReader(body))
		request.Header.Set("Content-Type", f.contentType)
		h.ServeHTTP(answer, request)
	})
	require.LessOrEqual(t, answer.Body.Len(), 8<<10, "an answer says so much, whatever it is about")
}

// What many things have in common stands around them: a resource's attributes around
// its scopes, a scope's around its metrics, a metric's name around its points. A request
// of a megabyte may have as much of the one as of the other.
func TestWhatStandsAroundManyThingsIsLookedAtOnce(t *testing.T) {
	const n = 100_000
	attributes := func(field protowire.Number) []byte {
		return bytes.Repeat(within(within([]byte("k"), 1), field), n)
	}
	empty := func(number byte) []byte { return bytes.Repeat([]byte{number<<3 | 2, 0}, n) }
	long := bytes.Repeat([]byte("n"), n)
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

	for name, body := range map[string][]byte{
		"a resource's attributes and its scopes":  within(join(within(attributes(1), 1), empty(2)), 1),
		"a scope's attributes and its metrics":    within(within(join(within(attributes(3), 1), empty(2)), 2), 1),
		"a scope's name and its metrics":          within(within(join(within(within(long, 1), 1), empty(2)), 2), 1),
		"a metric's name and its points":          within(join(within(long, 1), within(empty(1), 5)), 2, 2, 1),
		"a metric's unit and its points":          within(join(within(long, 3), within(empty(1), 5)), 2, 2, 1),
		"a metric's name and its histograms":      within(join(within(long, 1), within(empty(1), 9)), 2, 2, 1),
		"a point's attributes and its exemplars":  within(within(join(attributes(7), empty(5)), 1), toGauge...),
		"a histogram's buckets and its exemplars": within(within(join(within(make([]byte, 8*n), 6), empty(8)), 1), 9, 2, 2, 1),
	} {
		t.Run(name, func(t *testing.T) { holdRequest(t, forms[typeProtobuf], body) })
	}
}

func TestARefusalDoesNotRepeatMegabytes(t *testing.T) {
	long := string(bytes.Repeat([]byte("1"), 1<<20))
	for _, body := range []string{
		`{"resourceMetrics":"` + long + `"}`, `{"resourceMetrics":[` + long + `]}`, `{"` + long + `":` + long + `.}`,
		`{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"gauge":{"dataPoints":[{"asInt":"` + long + `"}]}}]}]}]}`,
	} {
		holdRequest(t, forms[typeJSON], []byte(body))
	}
}

// FuzzExport holds a request, from its bytes to its answer, against what it may cost:
// as it is, and with all of it again and again, so that a short one shows what it costs.
func FuzzExport(f *testing.F) {
	bodies := bombs(50)
	bodies["cumulative"] = within(within([]byte{1<<3 | 2, 0, 2 << 3, 2, 3 << 3, 1}, 7), 2, 2, 1)
	for _, body := range bodies {
		f.Add(body, false)
		var request collector.ExportMetricsServiceRequest
		if forms[typeProtobuf].unmarshal(body, &request) == nil {
			text, _ := protojson.Marshal(&request)
			f.Add(text, true)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte, isJSON bool) {
		const most = 64 << 10
		if len(body) > most {
			return
		}
		form := forms[typeProtobuf]
		if isJSON {
			form = forms[typeJSON]
		} else { // requests one behind the other are one of all that they have
			body = bytes.Repeat(body, max(1, most/(len(body)+1)))
		}
		holdRequest(t, form, body)
	})
}
