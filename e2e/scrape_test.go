package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor"
)

const (
	scrapePassword = "open sesame"
	scrapeBcrypt   = "$2b$04$IOomrXsIdnibDsMjAbElXuxBNI4xNtiUVIJ7Ymtd1Vvn0KY919dLC"
)

// exporter is a serving process that exports what it measures to Prometheus.
type exporter struct {
	*httptest.Server
	exposed atomic.Value // text
}

func startExporter(t *testing.T, exposed string) *exporter {
	t.Helper()
	e := &exporter{}
	e.exposed.Store(exposed)
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = fmt.Fprint(w, e.exposed.Load())
	}))
	t.Cleanup(e.Close)
	return e
}

// scraped is a Prometheus server that asks for a password.
type scraped struct {
	args    []string
	address string
	process *process
}

func startScraped(t *testing.T, target string) *scraped {
	t.Helper()
	programs := os.Getenv("MODELVIGIL_PROMETHEUS")
	if programs == "" {
		t.Skip("MODELVIGIL_PROMETHEUS names no directory with prometheus; `make e2e-feeding` sets it")
	}
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	config := write("prometheus.yml", "global: {scrape_interval: 500ms, scrape_timeout: 500ms}\n"+
		"scrape_configs: [{job_name: serving, static_configs: [{targets: ['"+strings.TrimPrefix(target, "http://")+"']}]}]\n")
	web := write("web.yml", "basic_auth_users: {watch: '"+scrapeBcrypt+"'}\n")
	s := &scraped{address: freeAddress(t)}
	s.args = []string{
		filepath.Join(programs, "prometheus"), "--config.file=" + config, "--web.config.file=" + web,
		"--storage.tsdb.path=" + filepath.Join(dir, "data"), "--web.listen-address=" + s.address, "--log.level=warn",
	}
	s.start(t)
	return s
}

func (s *scraped) start(t *testing.T) {
	t.Helper()
	s.process = start(t, s.args[0], s.args[1:])
	patience.Until(t, "Prometheus is ready", func() bool { return s.get(t, "/-/ready", nil) })
}

// get asks Prometheus; into may be nil.
func (s *scraped) get(t *testing.T, path string, into any) bool {
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.address+path, nil)
	require.NoError(t, err)
	request.SetBasicAuth("watch", scrapePassword)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	defer func() { _ = response.Body.Close() }()
	return response.StatusCode == http.StatusOK && (into == nil || json.NewDecoder(response.Body).Decode(into) == nil)
}

// samples counts what it holds of a series.
func (s *scraped) samples(t *testing.T, series string) int64 {
	var answer struct {
		Data struct{ Result []struct{ Values []any } }
	}
	if !s.get(t, "/api/v1/query?query="+url.QueryEscape(series+"[1h]"), &answer) || len(answer.Data.Result) != 1 {
		return -1
	}
	return int64(len(answer.Data.Result[0].Values))
}

// A model exports to Prometheus already. Each of its samples is an event once,
// whatever dies meanwhile: Prometheus, or the scraper.
func TestFeedingFromPrometheus(t *testing.T) {
	t.Parallel()
	const queue, model = "feeding-prometheus", "scraped"
	const healthy = `model_accuracy{model="scraped",version="v7"} 0.95
model_latency_seconds{model="scraped",version="v7"} 0.084
model_auc{model="scraped",version="v7"} NaN
`
	serving := startExporter(t, healthy)
	prometheus := startScraped(t, serving.URL)
	startWorker(t, queue)
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	password := write("password", scrapePassword+"\n")
	queries := `
prometheus: {address: 'http://` + prometheus.address + `', basic_auth: {username: watch, password: {file: ` + password + `}}}
interval: 1s
queries:
  - {query: 'model_accuracy[1m]', metric: accuracy, model_name: {label: model}, model_version: {label: version}}
  - {query: 'max(model_latency_seconds) * 1000', metric: latency_ms, model_name: scraped}
`
	file := write("scrape.yaml", "state_file: "+filepath.Join(dir, "state.json")+queries)
	patience.Until(t, "samples are there", func() bool { return prometheus.samples(t, "model_accuracy") > 2 })

	t.Run("check prints what would be published, and what would not", func(t *testing.T) {
		stdout, stderr, code := starter(t, queue, "", "scrape", "--check", write("check.yaml", queries+
			"  - {query: model_auc, metric: auc, model_name: {label: model}}\n  - {query: model_accuracy, metric: accuracy, model_name: {label: mdl}}\n  - {query: 'a(', metric: b, model_name: c}\n"))
		assert.Equal(t, 1, code)
		var event metric.Event
		require.NoError(t, json.Unmarshal([]byte(strings.SplitN(stdout, "\n", 2)[0]), &event))
		assert.Equal(t, metric.Some(0.95), event.Accuracy)
		assert.Equal(t, "v7", event.ModelVersion)
		assert.Contains(t, stdout, `"latency_ms":84`)
		assert.Contains(t, stderr, "queries[2]: skipped: ")
		assert.Contains(t, stderr, "is NaN")
		assert.Contains(t, stderr, "queries[3]: skipped: ")
		assert.Contains(t, stderr, "has no label mdl")
		assert.Contains(t, stderr, "queries[4]: ask Prometheus at http://"+prometheus.address+" for a(: bad_data")
	})

	run := func() *process {
		return start(t, starterPath, []string{"scrape", file}, append(environment(queue), "SCRAPE_HEALTH_ADDRESS="+freeAddress(t))...)
	}
	counted := func(why string) {
		t.Helper()
		until(t, model, why, func(s monitor.Status) bool {
			return s.Versions["v7"].Metrics[metric.Accuracy].Count == prometheus.samples(t, "model_accuracy")
		})
	}
	scraper := run()
	until(t, model, "it is watched", func(s monitor.Status) bool { return s.Versions["v7"].Metrics[metric.Accuracy].Count > 3 })
	assert.Zero(t, status(t, model).Breaches)

	prometheus.process.kill()
	patience.Until(t, "it is said that Prometheus is away", func() bool {
		return strings.Contains(scraper.output.String(), "Prometheus gives no answer; trying again")
	})
	prometheus.start(t)
	patience.Until(t, "and that it is back", func() bool { return strings.Contains(scraper.output.String(), "Prometheus answers again") })

	serving.exposed.Store(strings.Replace(healthy, "0.95", "0.5", 1))
	s := until(t, model, "the breach triggers", func(s monitor.Status) bool { return s.Retrainings.Requested == 1 })
	assert.Equal(t, "accuracy 0.5000 below threshold 0.9000", s.Decisions[0].Reason)
	assert.Equal(t, 84.0, s.Versions[""].Metrics[metric.LatencyMS].Max)

	require.Zero(t, scraper.terminate(t))
	scraper = run()
	serving.exposed.Store("")
	patience.Until(t, "nothing is exported any more", func() bool {
		var answer struct{ Data struct{ Result []any } }
		return prometheus.get(t, "/api/v1/query?query=model_latency_seconds", &answer) && len(answer.Data.Result) == 0
	})
	counted("each sample is counted once, over the restarts of both")
	require.Zero(t, scraper.terminate(t))
	assert.NotContains(t, scraper.output.String(), scrapePassword)

	once := mustStarter(t, queue, "", "scrape", "--once", file)
	assert.Equal(t, "published 0 events\n", once, "no accuracy is new, and no latency is exported any more")
	counted("and no sample twice")

	require.NoError(t, os.WriteFile(password, []byte("wrong"), 0o600))
	_, stderr, code := starter(t, queue, "", "scrape", "--once", file)
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "client error: 401")
}
