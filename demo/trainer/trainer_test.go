package trainer_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/demo/stream"
	"github.com/modelvigil/modelvigil/demo/trainer"
)

func TestRetrainingMendsADriftedModel(t *testing.T) {
	const fresh, mixed = 1_500, 500
	seas := sea(t, stream.Config{Seed: 1, DriftAt: []int{fresh, 50_000, 60_000}})
	s := serve(t, trainer.Config{ModelName: "sea", Secret: secret, Initial: seas.Take(fresh), FreshSamples: fresh, Capacity: fresh})
	before, beforeTag := s.latest()
	require.Equal(t, "v1", before.Version)
	require.Equal(t, 1, seas.Concept())

	require.Equal(t, http.StatusOK, s.send(seas.Take(mixed)).status)
	asked := s.request("model-monitor/sea/run/1", secret)
	require.Equal(t, http.StatusAccepted, asked.status, asked.body)
	var retraining job
	asked.decode(t, &retraining)
	require.Equal(t, s.url+"/retrainings/"+retraining.JobID, retraining.StatusURL)

	s.send(seas.Take(fresh - 1))
	require.Equal(t, outcome{State: "running", Message: "1499 of 1500 fresh samples have come"}, s.outcome(retraining))
	require.Equal(t, "v1", s.Model().Version, "one sample short, nothing is fitted")

	s.send(seas.Take(1))
	done := s.ended(retraining)
	require.Equal(t, "succeeded", done.State, done.Message)
	require.Equal(t, "v2", done.ModelVersion)
	require.Contains(t, done.Message, "fitted on 1500 samples since the request")

	after, afterTag := s.latest()
	require.Equal(t, "v2", after.Version)
	require.Equal(t, fresh, after.TrainedOn)
	require.NotEqual(t, beforeTag, afterTag)
	unseen := seas.Take(10_000)
	stale, err := before.Accuracy(unseen)
	require.NoError(t, err)
	mended, err := after.Accuracy(unseen)
	require.NoError(t, err)
	t.Logf("after the drift: v1 %.3f, v2 %.3f; %s", stale, mended, done.Message)
	require.Less(t, stale, 0.82)
	require.Greater(t, mended, 0.87)
}

func TestRequestRetraining(t *testing.T) {
	t.Run("with a known id starts nothing, and answers as at first", func(t *testing.T) {
		s := serve(t, trainer.Config{FreshSamples: 10})
		first, again := s.request("a/1", ""), s.request("a/1", "")
		require.Equal(t, http.StatusAccepted, first.status)
		require.Equal(t, http.StatusConflict, again.status)
		require.Equal(t, first.body, again.body)

		s.send(sea(t, stream.Config{}).Take(100))
		var retraining job
		first.decode(t, &retraining)
		require.Equal(t, "succeeded", s.ended(retraining).State)
		require.Equal(t, http.StatusConflict, s.request("a/1", "").status, "an ended one is known too")
		require.Equal(t, "v1", s.Model().Version, "one fit for three requests")
	})
	t.Run("by many at once starts one job", func(t *testing.T) {
		s := serve(t, trainer.Config{FreshSamples: 10})
		answers := make(chan answer, 8)
		var senders sync.WaitGroup
		for range cap(answers) {
			senders.Go(func() { answers <- s.request("a/1", "") })
		}
		senders.Wait()
		close(answers)
		statuses := map[int]int{}
		for answer := range answers {
			statuses[answer.status]++
		}
		require.Equal(t, map[int]int{http.StatusAccepted: 1, http.StatusConflict: cap(answers) - 1}, statuses)
	})
	t.Run("gives a job id that another process gives the same request, and no other", func(t *testing.T) {
		var ids []string
		for _, request := range []string{"a/1", "a/1", "b/1"} {
			var retraining job
			serve(t, trainer.Config{}).request(request, "").decode(t, &retraining)
			ids = append(ids, retraining.JobID)
		}
		require.Equal(t, ids[0], ids[1])
		require.NotEqual(t, ids[0], ids[2])
	})
	t.Run("is answered with the base url where one is set", func(t *testing.T) {
		var retraining job
		serve(t, trainer.Config{BaseURL: "https://train.example/x"}).request("a/1", "").decode(t, &retraining)
		require.Equal(t, "https://train.example/x/retrainings/"+retraining.JobID, retraining.StatusURL)
	})
	t.Run("past the number that may wait is put off", func(t *testing.T) {
		s := serve(t, trainer.Config{})
		for i := range 16 {
			require.Equal(t, http.StatusAccepted, s.request(fmt.Sprintf("a/%d", i), "").status)
		}
		refused := s.request("a/16", "")
		require.Equal(t, http.StatusServiceUnavailable, refused.status)
		require.Equal(t, "5", refused.header.Get("Retry-After"))
		require.Equal(t, http.StatusConflict, s.request("a/3", "").status)
	})
	t.Run("on samples of one class fails, and leaves the model as it was", func(t *testing.T) {
		s := serve(t, trainer.Config{FreshSamples: 3, Initial: sea(t, stream.Config{}).Take(100)})
		var retraining job
		s.request("a/1", "").decode(t, &retraining)
		same := stream.Sample{X: []float64{1, 2, 3}, Y: true}
		s.send([]stream.Sample{same, same, same})
		require.Equal(t, outcome{State: "failed", Message: "fit: samples: must be of both classes, all 3 are true"}, s.ended(retraining))
		require.Equal(t, "v1", s.Model().Version)
	})
}

func TestRetrainingRequestsThatAreRefused(t *testing.T) {
	signed := func(key string, at time.Time, tamper func(string) string) func(*testing.T, *service) answer {
		return func(t *testing.T, s *service) answer {
			header := http.Header{"Content-Type": {"application/cloudevents+json"}}
			sign(t, header, event("a/1"), key, at)
			return s.do(http.MethodPost, "/retrainings", tamper(event("a/1")), header)
		}
	}
	edited := func(old, new string) func(*testing.T, *service) answer {
		return func(_ *testing.T, s *service) answer {
			return s.post(strings.Replace(event("a/1"), old, new, 1), secret)
		}
	}
	asIs := func(body string) string { return body }
	other := "whsec_" + strings.Repeat("QUJD", 8)
	for name, test := range map[string]struct {
		send   func(*testing.T, *service) answer
		status int
		want   string
	}{
		"no signature":               {func(_ *testing.T, s *service) answer { return s.request("a/1", "") }, 401, "missing required headers"},
		"another key's signature":    {signed(other, time.Now(), asIs), 401, "no matching signature"},
		"a body other than signed":   {signed(secret, time.Now(), func(body string) string { return body + " " }), 401, "no matching signature"},
		"a signature of an hour ago": {signed(secret, time.Now().Add(-time.Hour), asIs), 401, "message timestamp too old"},
		"another content type": {func(t *testing.T, s *service) answer {
			header := http.Header{"Content-Type": {"text/plain"}}
			sign(t, header, event("a/1"), secret, time.Now())
			return s.do(http.MethodPost, "/retrainings", event("a/1"), header)
		}, 415, `content-type: must be application/cloudevents+json, got \"text/plain\"`},
		"no json":                     {func(_ *testing.T, s *service) answer { return s.post("{", secret) }, 400, "read cloudevent: unexpected end of JSON input"},
		"a body past the bound":       {func(_ *testing.T, s *service) answer { return s.post(strings.Repeat(" ", 65<<10), secret) }, 413, "body: must be at most 65536 bytes"},
		"another type of event":       {edited("retraining.requested", "other"), 422, "type: must be"},
		"another version":             {edited(`"1.0"`, `"0.3"`), 422, "specversion: must be"},
		"no source":                   {edited("/model-monitor/sea", ""), 422, "source: must not be empty"},
		"an id other than the data's": {edited(`"request_id": "a/1"`, `"request_id": "a/2"`), 422, "data.request_id: must be the event's id"},
		"another model":               {edited(`"sea"`, `"land"`), 422, `data.model_name: must be \"sea\", the model trained here, got \"land\"`},
		"no model":                    {edited(`"sea"`, `""`), 422, "data.model_name: must not be empty"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, trainer.Config{ModelName: "sea", Secret: secret})
			got := test.send(t, s)
			require.Equal(t, test.status, got.status, got.body)
			require.Contains(t, got.body, test.want)
			require.Equal(t, http.StatusAccepted, s.request("a/1", secret).status, "the refused one wasn't taken down as known")
		})
	}
}

func TestSamples(t *testing.T) {
	t.Run("are counted, and held up to the capacity", func(t *testing.T) {
		s := serve(t, trainer.Config{FreshSamples: 50, Capacity: 80})
		seas := sea(t, stream.Config{})
		require.JSONEq(t, `{"accepted": 60, "held": 60, "total": 60}`, s.send(seas.Take(60)).body)
		require.JSONEq(t, `{"accepted": 60, "held": 80, "total": 120}`, s.send(seas.Take(60)).body)
		require.JSONEq(t, `{"accepted": 0, "held": 80, "total": 120}`, s.send([]stream.Sample{}).body)
	})
	t.Run("since the request are fitted, the newest that are held", func(t *testing.T) {
		s := serve(t, trainer.Config{FreshSamples: 50, Capacity: 80})
		seas := sea(t, stream.Config{})
		s.send(seas.Take(70))
		var retraining job
		s.request("a/1", "").decode(t, &retraining)
		s.send(seas.Take(49))
		s.send(seas.Take(500))
		require.Equal(t, "succeeded", s.ended(retraining).State)
		require.Equal(t, 80, s.Model().TrainedOn)
	})
	t.Run("that were predicted before the request are not fitted, though they come after it", func(t *testing.T) {
		s := serve(t, trainer.Config{FreshSamples: 50, LateSamples: 30})
		seas := sea(t, stream.Config{})
		var retraining job
		s.request("a/1", "").decode(t, &retraining)
		s.send(seas.Take(20))
		require.Equal(t, "0 of 50 fresh samples have come", s.outcome(retraining).Message)
		s.send(seas.Take(59))
		require.Equal(t, "49 of 50 fresh samples have come", s.outcome(retraining).Message)
		s.send(seas.Take(1))
		require.Equal(t, "succeeded", s.ended(retraining).State)
		require.Equal(t, 50, s.Model().TrainedOn)
	})
	for name, test := range map[string]struct {
		body   string
		status int
		want   string
	}{
		"that are no array are refused":           {`{"x": [1], "y": true}`, 400, "read body: json: cannot unmarshal object"},
		"of another length are refused":           {`[{"x": [1, 2, 3], "y": true}, {"x": [1, 2], "y": true}]`, 422, "samples[1].x: must have 3 inputs as the model takes, got 2"},
		"without a class are refused":             {`[{"x": [1, 2, 3]}]`, 422, "samples[0].y: must be given"},
		"without inputs are refused":              {`[{"y": true}]`, 422, "samples[0].x: must have at least one input"},
		"beyond all bounds are refused":           {`[{"x": [1, 2, 1e200], "y": true}]`, 422, "samples[0].x[2]: must be a finite number within"},
		"of too many inputs are refused":          {`[{"x": [` + strings.Repeat("1,", 256) + `1], "y": true}]`, 422, "samples[0].x: must have at most 256 inputs, got 257"},
		"in a body past the bound are refused":    {strings.Repeat(" ", 4<<20+1), 413, "body: must be at most 4194304 bytes"},
		"that no number can hold are refused too": {`[{"x": [1, 2, 1e999], "y": true}]`, 400, "cannot unmarshal number 1e999"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, trainer.Config{Initial: sea(t, stream.Config{}).Take(100)})
			got := s.do(http.MethodPost, "/samples", test.body, nil)
			require.Equal(t, test.status, got.status, got.body)
			require.Contains(t, got.body, test.want)
			require.Contains(t, s.send(nil).body, `"total":100`, "of a refused request none is taken")
		})
	}
}

func TestLatestModel(t *testing.T) {
	t.Run("is not there before the first", func(t *testing.T) {
		got := serve(t, trainer.Config{}).do(http.MethodGet, "/models/latest", "", nil)
		require.Equal(t, http.StatusNotFound, got.status)
		require.Contains(t, got.body, "there is no model yet")
	})
	t.Run("is not sent again to who has it", func(t *testing.T) {
		s := serve(t, trainer.Config{Initial: sea(t, stream.Config{}).Take(100)})
		_, tag := s.latest()
		for _, held := range []string{tag, "W/" + tag, `"other", ` + tag, "*"} {
			got := s.do(http.MethodGet, "/models/latest", "", http.Header{"If-None-Match": {held}})
			require.Equal(t, http.StatusNotModified, got.status, held)
			require.Empty(t, got.body)
			require.Equal(t, tag, got.header.Get("ETag"))
		}
		require.Equal(t, http.StatusOK, s.do(http.MethodGet, "/models/latest", "", http.Header{"If-None-Match": {`"v0"`}}).status)
	})
	t.Run("of another process is another, though the version is the same", func(t *testing.T) {
		seas := sea(t, stream.Config{})
		_, one := serve(t, trainer.Config{Initial: seas.Take(100)}).latest()
		_, two := serve(t, trainer.Config{Initial: seas.Take(100)}).latest()
		require.NotEqual(t, one, two)
	})
}

func TestUnknownJob(t *testing.T) {
	got := serve(t, trainer.Config{}).do(http.MethodGet, "/retrainings/job-0", "", nil)
	require.Equal(t, http.StatusNotFound, got.status)
	var fault struct{ Error string }
	require.NoError(t, json.Unmarshal([]byte(got.body), &fault))
	require.Equal(t, `retraining job "job-0" is not known here: it is of another process, or long ended`, fault.Error)
}

func TestClose(t *testing.T) {
	s := serve(t, trainer.Config{})
	var retraining job
	s.request("a/1", "").decode(t, &retraining)
	require.NoError(t, s.Close(t.Context()))
	require.Equal(t, outcome{State: "failed", Message: "the trainer was closed before enough fresh samples had come"}, s.outcome(retraining))
	require.Equal(t, http.StatusServiceUnavailable, s.request("a/2", "").status)
	require.Equal(t, http.StatusConflict, s.request("a/1", "").status, "what it has taken, it still knows")
	require.NoError(t, s.Close(t.Context()))
}

func TestNewNamesEveryFault(t *testing.T) {
	for name, test := range map[string]struct {
		config trainer.Config
		want   string
	}{
		"more fresh samples than are held": {trainer.Config{FreshSamples: 11, Capacity: 10}, "trainer: fresh_samples: must be in 1 to the capacity of 10, got 11"},
		"a secret without its prefix":      {trainer.Config{Secret: strings.Repeat("QUJD", 8)}, "trainer: secret: must be whsec_ and base64"},
		"a secret that is none":            {trainer.Config{Secret: "whsec_"}, "trainer: secret: must be of 24 to 64 bytes, got 0"},
		"an initial sample at fault":       {trainer.Config{Initial: []stream.Sample{{}}}, "trainer: initial: fit: samples[0].x: must have at least one input"},
		"late samples below none":          {trainer.Config{LateSamples: -1}, "trainer: late_samples: must not be below 0, got -1"},
		"a base url that is a path":        {trainer.Config{BaseURL: "/x"}, `trainer: base_url: must be like https://host/path without a slash at the end, got "/x"`},
		"two faults, of which both are told": {
			trainer.Config{Secret: "hush", Capacity: -1, FreshSamples: -1},
			"trainer: capacity: must be in 1 to 1000000 samples, got -1\nfresh_samples: must be in 1 to the capacity of -1, got -1\nsecret: must be whsec_ and base64",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := trainer.New(test.config)
			require.EqualError(t, err, test.want)
		})
	}
}
