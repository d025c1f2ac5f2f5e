package scrape_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/gateway/scrape"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/metric"
)

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "scrape.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestEveryFaultOfAFileIsNamed(t *testing.T) {
	path := write(t, `
prometheus: {address: prometheus:9090, bearer_token: {env: NOWHERE_TO_BE_FOUND}, basic_auth: {username: a, password: {}}}
interval: 1ms
queries:
  - {query: ' ', metric: '', model_name: ''}
  - {query: up, metric: up, model_name: `+strings.Repeat("n", 201)+`}
`)
	_, err := scrape.ReadFile(path)
	require.Error(t, err)
	for _, fault := range []string{
		`prometheus.address: must be a URL such as http://prometheus:9090, got "prometheus:9090"`,
		"prometheus: bearer_token and basic_auth can't both be given",
		"prometheus.bearer_token: the environment has no NOWHERE_TO_BE_FOUND, or it is empty",
		"prometheus.basic_auth.password: must be {env: VARIABLE} or {file: PATH}",
		"interval: must be 1s or more, got 1ms",
		"queries[0].query: is missing or empty",
		"queries[0].metric: must be the reading's name, of 1 to 100 bytes, such as accuracy",
		"queries[0].model_name: must be 1 to 200 bytes of UTF-8, is missing or empty; give a text, or {label: NAME}",
		"queries[1].model_name: must be 1 to 200 bytes of UTF-8, got 201 bytes",
	} {
		assert.Contains(t, err.Error(), path+": "+fault)
	}
	for text, fault := range map[string]string{
		"prometheus: {address: 'http://p'}": "queries: must have one at least",
		"querys: []":                        "querys: unknown field; the fields are interval, prometheus, queries, state_file",
		"queries: [{model_name: {l: a}}]":   "must be a text, or {label: NAME}",
		"queries: [":                        "yaml",
		"interval: 10s10":                   "10s10",
	} {
		_, err := scrape.ReadFile(write(t, text))
		require.ErrorContains(t, err, fault, text)
	}
}

// sink is what a hub does with what it is given.
type sink struct{ events []metric.Event }

func (s *sink) Publish(_ context.Context, event metric.Event) error {
	s.events = append(s.events, event)
	return nil
}

func (s *sink) Flush(context.Context) error { return nil }

// What a proxy in front of Prometheus asks for, and an answer of each kind. The
// loop with a real Prometheus is among the end to end tests.
func TestAnswersOfEachKindBehindABearerToken(t *testing.T) {
	answers := map[string]string{
		"vector": `{"resultType": "vector", "result": [
		  {"metric": {"model": "a"}, "value": [1772366400.5, "0.5"]}, {"metric": {"model": "b"}, "value": [1772366400.5, "+Inf"]},
		  {"metric": {}, "value": [1772366400.5, "1"]}, {"metric": {"model": "c"}, "histogram": [1772366400.5, {"count": "1", "sum": "1", "buckets": []}]}]}`,
		"scalar": `{"resultType": "scalar", "result": [1772366400.5, "0.25"]}`,
		"matrix": `{"resultType": "matrix", "result": [{"metric": {"model": "m"}, "values": [[1772366400.5, "1"], [1772366401.5, "2"]]}]}`,
		"text":   `{"resultType": "string", "result": [1772366400.5, "words"]}`,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer open-sesame" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = fmt.Fprintf(w, `{"status": "success", "data": %s}`, answers[r.FormValue("query")])
	}))
	t.Cleanup(server.Close)
	t.Setenv("SCRAPE_TOKEN", "open-sesame")
	file, err := scrape.ReadFile(write(t, `
prometheus: {address: '`+server.URL+`', bearer_token: {env: SCRAPE_TOKEN}}
queries:
  - {query: vector, metric: auc, model_name: {label: model}}
  - {query: scalar, metric: drift_score, model_name: s, model_version: v1}
  - {query: matrix, metric: latency_ms, model_name: {label: model}}
  - {query: text, metric: accuracy, model_name: t}
`))
	require.NoError(t, err)
	scraper, err := scrape.New(file, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	at := time.Date(2026, 3, 1, 12, 0, 0, 5e8, time.UTC)
	h := &sink{}
	ctx := patience.Context(t)
	published, err := scraper.Once(ctx, h, at)
	require.ErrorContains(t, err, "for text: ")
	want := []metric.Event{
		{Timestamp: at, ModelName: "a", Metrics: map[string]float64{"auc": 0.5}},
		{Timestamp: at, ModelName: "s", ModelVersion: "v1", DriftScore: metric.Some(0.25)},
		{Timestamp: at, ModelName: "m", LatencyMS: metric.Some(1.0)},
		{Timestamp: at.Add(time.Second), ModelName: "m", LatencyMS: metric.Some(2.0)},
	}
	assert.Equal(t, len(want), published)
	assert.Equal(t, want, h.events)

	published, err = scraper.Once(ctx, h, at)
	require.Error(t, err)
	assert.Zero(t, published, "the same samples are published once")
}

func TestTheExampleIsAFile(t *testing.T) {
	file, err := scrape.ReadFile("../../examples/feeding/prometheus/scrape.yaml")
	require.NoError(t, err)
	assert.Len(t, file.Queries, 3)
}

// Mimir, Cortex and tenanted Thanos say by a header whose the data are.
func TestAServerOfTenantsIsAskedWithTheirHeadersAndItsWordsAreTold(t *testing.T) {
	t.Setenv("TENANT", "fraud-team")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Scope-OrgID") != "fraud-team" {
			http.Error(w, "no org id", http.StatusUnauthorized)
			return
		}
		_, _ = fmt.Fprintf(w, `{"status": "success", "data": {"resultType": "scalar", "result": [%d, "0.93"]}, "warnings": ["partial answer"]}`, time.Now().Unix())
	}))
	t.Cleanup(server.Close)
	check := func(headers string) (events, notes string, err error) {
		file, err := scrape.ReadFile(write(t, "prometheus: {address: '"+server.URL+"', headers: {"+headers+"}}\nqueries: [{query: x, metric: accuracy, model_name: fraud}]"))
		require.NoError(t, err)
		scraper, err := scrape.New(file, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		var out, told strings.Builder
		err = scraper.Check(t.Context(), &out, &told, time.Now())
		return out.String(), told.String(), err
	}

	for _, headers := range []string{"X-Scope-OrgID: fraud-team", "x-scope-orgid: {env: TENANT}"} {
		events, notes, err := check(headers)
		require.NoError(t, err)
		assert.Contains(t, events, `"accuracy":0.93`)
		assert.Equal(t, "queries[0]: Prometheus warns: partial answer\n", notes)
	}
	_, _, err := check("")
	require.ErrorContains(t, err, "401: no org id", "the server's own words")

	for headers, fault := range map[string]string{
		"'a b': c":                   "prometheus.headers.a b: must be the name of a header",
		"authorization: Bearer x":    "prometheus.headers.authorization: give it as bearer_token or basic_auth",
		"X-A: {env: NOWHERE_AT_ALL}": "prometheus.headers.X-A: the environment has no NOWHERE_AT_ALL",
		"X-A: {evn: B}":              "evn: unknown field; did you mean env?",
		"X-A: ''":                    "prometheus.headers.X-A: must be one line, and not empty",
	} {
		_, err := scrape.ReadFile(write(t, "prometheus: {address: 'http://p', headers: {"+headers+"}}\nqueries: [{query: x, metric: accuracy, model_name: fraud}]"))
		assert.ErrorContains(t, err, fault)
	}
}
