package gateway

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/hub"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/metric"
)

func TestMain(m *testing.M) { patience.Main(m) }

const (
	contentType = "Content-Type"
	good        = `{"model_name":"fraud","model_version":"v7","accuracy":0.93}`
	bad         = `{"model_name":"fraud","acuracy":0.93}`
)

func zipped(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := io.WriteString(w, text)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.String()
}

func TestWhatABodyMayHold(t *testing.T) {
	const cloudHead = `"specversion":"1.0","id":"1","source":"/serving","type":"event"`
	tests := map[string]struct {
		path     string // default /v1/events
		body     string
		headers  []string
		status   int
		accepted int64
		reasons  []string // "index: reason" of the rejected, or a part of it
		detail   string
	}{
		"one event":                      {body: good, headers: []string{contentType, typeJSON}, status: 202, accepted: 1},
		"one event, with its charset":    {body: good, headers: []string{contentType, "application/json; charset=UTF-8"}, status: 202, accepted: 1},
		"one event, durable if asked":    {path: "/v1/events?durable=true", body: good, headers: []string{contentType, typeJSON}, status: 200, accepted: 1},
		"one event, not durable":         {path: "/v1/events?durable=false", body: good, headers: []string{contentType, typeJSON}, status: 202, accepted: 1},
		"a list":                         {body: "[" + good + " ,\n\t" + good + "]", headers: []string{contentType, typeJSON}, status: 202, accepted: 2},
		"an empty list":                  {body: " [ ] ", headers: []string{contentType, typeJSON}, status: 202},
		"brackets and quotes within":     {body: `[{"model_name":"a]\"},{","accuracy":1},` + good + `]`, headers: []string{contentType, typeJSON}, status: 202, accepted: 2},
		"lines":                          {body: good + "\n" + good + "\r\n\n" + good, headers: []string{contentType, typeNDJSON}, status: 202, accepted: 3},
		"lines by their other names":     {body: good + "\n" + good, headers: []string{contentType, "application/jsonl"}, status: 202, accepted: 2},
		"no lines":                       {body: "\n", headers: []string{contentType, typeNDJSON}, status: 202},
		"gzip":                           {body: zipped(t, good), headers: []string{contentType, typeJSON, "Content-Encoding", "gzip"}, status: 202, accepted: 1},
		"each of a list is for itself":   {body: "[" + good + "," + bad + ",7," + good + "]", headers: []string{contentType, typeJSON}, status: 202, accepted: 2, reasons: []string{"1: acuracy: unknown field", "2: must be a JSON object"}},
		"each line is for itself":        {body: good + "\n{\n[" + good + "]\n" + good, headers: []string{contentType, typeNDJSON}, status: 202, accepted: 2, reasons: []string{"1: not JSON", "2: must be one event, a JSON object, got a list"}},
		"every fault of an event":        {body: `[` + good + `,{"model_name":"","latency_ms":1e200}]`, headers: []string{contentType, typeJSON}, status: 202, accepted: 1, reasons: []string{"1: model_name: must be 1 to 200 bytes of UTF-8, is missing or empty; latency_ms: must be a finite number"}},
		"a scanned event without sense":  {body: good + "\n" + `{"model_name":"fraud","timestamp":"2999-01-01T00:00:00Z"}`, headers: []string{contentType, typeNDJSON}, status: 202, accepted: 1, reasons: []string{"1: timestamp: 2999-01-01T00:00:00Z is more than 10m0s ahead of the clock"}},
		"nothing but what is bad":        {body: "[" + bad + "]", headers: []string{contentType, typeJSON}, status: 422, reasons: []string{"0: acuracy: unknown field"}, detail: "no event was accepted"},
		"a list that does not end":       {body: "[" + good + "," + good, headers: []string{contentType, typeJSON}, status: 400, detail: "not JSON: it ends too early"},
		"two events that are no list":    {body: good + good, headers: []string{contentType, typeJSON}, status: 400, detail: "stands at byte 60, behind the end"},
		"nothing at all":                 {headers: []string{contentType, typeJSON}, status: 400, detail: "not JSON"},
		"no media type":                  {body: good, status: 415, detail: `Content-Type: must be one of application/json, application/x-ndjson`},
		"a form":                         {body: good, headers: []string{contentType, "application/x-www-form-urlencoded"}, status: 415, detail: `got "application/x-www-form-urlencoded"; nothing was accepted`},
		"another charset":                {body: good, headers: []string{contentType, "application/json; charset=latin1"}, status: 415, detail: "in UTF-8"},
		"another compression":            {body: good, headers: []string{contentType, typeJSON, "Content-Encoding", "br"}, status: 415, detail: `Content-Encoding: must be gzip or left out, got "br"`},
		"gzip that is none":              {body: good, headers: []string{contentType, typeJSON, "Content-Encoding", "gzip"}, status: 400, detail: "gzip: invalid header; nothing was accepted"},
		"gzip that does not end":         {body: zipped(t, good)[:40], headers: []string{contentType, typeNDJSON, "Content-Encoding", "gzip"}, status: 400, detail: "unexpected EOF; nothing was accepted"},
		"a misspelt parameter":           {path: "/v1/events?durabel=true", body: good, headers: []string{contentType, typeJSON}, status: 400, detail: `unknown parameter "durabel"`},
		"an unclear parameter":           {path: "/v1/events?durable=yes", body: good, headers: []string{contentType, typeJSON}, status: 400, detail: `durable: must be true or false, got "yes"`},
		"a CloudEvent":                   {body: `{` + cloudHead + `,"subject":"s","data":` + good + `}`, headers: []string{contentType, typeCloud}, status: 202, accepted: 1},
		"a CloudEvent in base64":         {body: `{` + cloudHead + `,"data_base64":"eyJtb2RlbF9uYW1lIjoiYSJ9"}`, headers: []string{contentType, typeCloud}, status: 202, accepted: 1},
		"a batch of CloudEvents":         {body: `[{` + cloudHead + `,"data":` + good + `},{"data":` + good + `},{` + cloudHead + `},{` + cloudHead + `,"data":` + bad + `}]`, headers: []string{contentType, typeClouds}, status: 202, accepted: 1, reasons: []string{`1: specversion: must be 1.0, got ""; id: must be given`, "2: data: must be an event, is missing", "3: acuracy: unknown field"}},
		"a CloudEvent of other data":     {body: `{` + cloudHead + `,"datacontenttype":"text/xml","data":"<a/>"}`, headers: []string{contentType, typeCloud}, status: 422, reasons: []string{`0: datacontenttype: must be application/json, got "text/xml"`}},
		"a CloudEvent of a wrong type":   {body: `{"id":1}`, headers: []string{contentType, typeCloud}, status: 422, reasons: []string{"0: id: must be a string, got a number"}},
		"a CloudEvent that is none":      {body: `7`, headers: []string{contentType, typeCloud}, status: 422, reasons: []string{"0: must be a CloudEvent, a JSON object"}},
		"a batch as one CloudEvent":      {body: `[]`, headers: []string{contentType, typeCloud}, status: 400, detail: "a list of them is application/cloudevents-batch+json"},
		"one CloudEvent as a batch":      {body: `{}`, headers: []string{contentType, typeClouds}, status: 400, detail: "must be a JSON array"},
		"a CloudEvent in binary mode":    {body: good, headers: []string{contentType, typeJSON, "ce-specversion", "1.0", "ce-id", "1", "ce-source", "/s", "ce-type", "t"}, status: 202, accepted: 1},
		"a binary one without an id":     {body: good, headers: []string{contentType, typeJSON, "ce-specversion", "1.0", "ce-source", "/s", "ce-type", "t"}, status: 400, detail: "id: must be given, as CloudEvents 1.0 demands; nothing was accepted"},
		"a binary one of no time at all": {body: good, headers: []string{contentType, typeJSON, "ce-specversion", "1.0", "ce-id", "1", "ce-source", "/s", "ce-type", "t", "ce-time", "noon"}, status: 400, detail: "time: must be an RFC 3339 time"},
	}
	s := serve(t, Options{})
	var accepted int64
	for name, test := range tests {
		accepted += test.accepted
		t.Run(name, func(t *testing.T) {
			path := test.path
			if path == "" {
				path = "/v1/events"
			}
			answer := s.ask(t, path, test.body, test.headers...)
			require.Equal(t, test.status, answer.status, answer.Detail)
			assert.Equal(t, test.accepted, answer.Accepted)
			assert.Contains(t, answer.Detail, test.detail)
			require.Len(t, answer.Rejected, len(test.reasons))
			assert.EqualValues(t, len(test.reasons), answer.RejectedTotal)
			for i, reason := range test.reasons {
				assert.Contains(t, fmt.Sprintf("%d: %s", answer.Rejected[i].Index, answer.Rejected[i].Reason), reason)
			}
			if test.status < 300 {
				assert.Equal(t, "application/json", answer.header.Get(contentType))
			} else {
				assert.Equal(t, "application/problem+json", answer.header.Get(contentType))
			}
		})
	}
	require.NoError(t, s.hub.Flush(t.Context()))
	assert.Equal(t, accepted, s.temporal.all(), "what is not accepted is not published, and what is, is")
}

func TestOtherPathsAndMethodsAreRefused(t *testing.T) {
	s := serve(t, Options{})
	for request, want := range map[string]struct {
		status int
		allow  string
	}{
		"GET /v1/events": {405, "POST"}, "PUT /v1/events": {405, "POST"}, "POST /v1/openapi.json": {405, "GET, HEAD"}, "GET /": {404, ""}, "POST /v1/event": {404, ""},
		"GET /v1/openapi.json": {200, ""},
	} {
		method, path, _ := strings.Cut(request, " ")
		made, err := http.NewRequest(method, s.url+path, nil)
		require.NoError(t, err)
		response, err := s.client.Do(made)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		assert.Equal(t, want.status, response.StatusCode, request)
		assert.Equal(t, want.allow, response.Header.Get("Allow"), request)
	}
}

func TestOfManyRejectionsTheFirstAreListedAndAllAreCounted(t *testing.T) {
	answer := serve(t, Options{}).ask(t, "/v1/events", strings.Repeat(bad+"\n", 250)+good, contentType, typeNDJSON)
	assert.Equal(t, 202, answer.status)
	assert.EqualValues(t, 1, answer.Accepted)
	assert.EqualValues(t, 250, answer.RejectedTotal)
	require.Len(t, answer.Rejected, maxListed)
	assert.EqualValues(t, 99, answer.Rejected[99].Index)
	assert.Equal(t, "the first 100 of 250 rejections are listed", answer.Note)
}

func TestReasonsAreBounded(t *testing.T) {
	answer := serve(t, Options{}).ask(t, "/v1/events", `{"`+strings.Repeat("ü", 10_000)+`":1}`, contentType, typeNDJSON)
	assert.LessOrEqual(t, len(answer.Rejected[0].Reason), maxReason)
}

// The timestamp of an event is its own, else the CloudEvent's, else the time of handling.
func TestTimestampsThatAreLeftOut(t *testing.T) {
	s := serve(t, Options{})
	seen := make(chan time.Time, 3)
	require.NoError(t, s.hub.Register("clock", observed(func(event metric.Event) { seen <- event.Timestamp }), hub.ObserverOptions{}))
	const envelope = `"specversion":"1.0","id":"1","source":"/s","type":"t","time":"2026-01-02T03:04:05Z"`
	s.ask(t, "/v1/events", `[{`+envelope+`,"data":{"model_name":"a"}},{`+envelope+`,"data":{"model_name":"a","timestamp":"2025-01-01T00:00:00Z"}}]`, contentType, typeClouds)
	s.ask(t, "/v1/events", `{"model_name":"a"}`, contentType, typeJSON)
	assert.Equal(t, "2026-01-02T03:04:05Z", (<-seen).Format(time.RFC3339))
	assert.Equal(t, "2025-01-01T00:00:00Z", (<-seen).Format(time.RFC3339))
	assert.True(t, (<-seen).IsZero(), "the hub stamps it as it folds it")
}

type observed func(metric.Event)

func (o observed) Observe(_ context.Context, event metric.Event) error {
	o(event)
	return nil
}

func rawElements(t *testing.T, list string) (texts []string) {
	t.Helper()
	var raw []json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(list), &raw))
	for _, element := range raw {
		texts = append(texts, string(element))
	}
	return texts
}

func TestElementsAreThoseOfEncodingJSON(t *testing.T) {
	for _, list := range []string{`[]`, `[ ]`, `[1]`, ` [ 1 , "a,]" , [2,[3]] , {"b":[4,{}]} , "\\\"" ] `, `[[]]`, `[{},{}]`, `["\\"]`} {
		var got []string
		for element := range elements([]byte(list)) {
			got = append(got, string(element))
		}
		assert.Equal(t, rawElements(t, list), got, list)
	}
}

func FuzzElements(f *testing.F) {
	f.Add([]byte(`[{"a":[1,"]"]}, null ,"\\\"",[[]]]`))
	f.Fuzz(func(t *testing.T, list []byte) {
		if i := space(list, 0); i == len(list) || list[i] != '[' || checkJSON(list) != nil {
			return
		}
		var got []string
		for element := range elements(list) {
			got = append(got, string(element))
		}
		require.Equal(t, rawElements(t, string(list)), got)
	})
}

func TestRoutesSeeWhatIsWholeAndPlain(t *testing.T) {
	var publisher Publisher
	s := serve(t, Options{Routes: []Route{{Path: "/v1/metrics", New: func(p Publisher) http.Handler {
		publisher = p
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			assert.Empty(t, r.Header.Get("Content-Encoding"))
			body, err := io.ReadAll(r.Body)
			assert.NoError(t, err)
			assert.EqualValues(t, len(body), r.ContentLength)
			err = p.Publish(r.Context(), metric.Event{ModelName: string(body)})
			assert.NoError(t, err)
			assert.EqualError(t, p.Publish(r.Context(), metric.Event{}), "model_name: must be 1 to 200 bytes of UTF-8, is missing or empty")
			_, _ = io.WriteString(w, "{}")
		})
	}}}})
	answer := s.ask(t, "/v1/metrics", zipped(t, "fraud"), "Content-Encoding", "gzip")
	assert.Equal(t, 200, answer.status)
	assert.EqualValues(t, 1, s.parties.of(s.hub, "").accepted.Load())
	assert.Equal(t, 405, statusOf(t, s, http.MethodGet, "/v1/metrics"))
	assert.EqualError(t, publisher.Publish(context.Background(), metric.Event{}), "publish with the context of the request")
}

func statusOf(t *testing.T, s *served, method, path string) int {
	t.Helper()
	request, err := http.NewRequest(method, s.url+path, nil)
	require.NoError(t, err)
	response, err := s.client.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response.StatusCode
}
