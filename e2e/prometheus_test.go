package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/internal/patience"
)

// prometheusPrograms is the directory of prometheus, promtool and alertmanager.
const prometheusVariable = "MODELVIGIL_PROMETHEUS"

func prometheusProgram(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv(prometheusVariable)
	if dir == "" {
		t.Skipf("%s names no directory with prometheus, promtool and alertmanager; `make e2e-prometheus` sets it", prometheusVariable)
	}
	return filepath.Join(dir, name)
}

func promtool(t *testing.T, args ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), prometheusProgram(t, "promtool"), args...).CombinedOutput()
	require.NoError(t, err, "promtool %s\n%s", strings.Join(args, " "), out)
}

// prometheus is a server that runs.
type prometheus struct{ url string }

// startPrometheus runs the sample configuration, with its targets and its
// intervals replaced.
func startPrometheus(t *testing.T, replace ...string) *prometheus {
	t.Helper()
	program, dir, address := prometheusProgram(t, "prometheus"), t.TempDir(), freeAddress(t)
	sample, err := os.ReadFile("../deploy/prometheus/prometheus.yml")
	require.NoError(t, err)
	rules, err := filepath.Abs("../deploy/prometheus/alerts.yml")
	require.NoError(t, err)
	for i := 0; i < len(replace); i += 2 {
		require.Contains(t, string(sample), replace[i], "the sample's target")
	}
	config := strings.NewReplacer(append(replace, "15s", "1s", "alerts.yml", rules)...).Replace(string(sample))
	file := filepath.Join(dir, "prometheus.yml")
	require.NoError(t, os.WriteFile(file, []byte(config), 0o600))
	start(t, program, []string{
		"--config.file=" + file, "--storage.tsdb.path=" + filepath.Join(dir, "data"), "--web.listen-address=" + address, "--log.level=warn",
	})
	p := &prometheus{"http://" + address}
	awaitOK(t, p.url+"/-/ready")
	return p
}

// startAlertmanager runs the sample configuration, and returns its host:port.
func startAlertmanager(t *testing.T) string {
	t.Helper()
	program, address := prometheusProgram(t, "alertmanager"), freeAddress(t)
	start(t, program, []string{
		"--config.file=../deploy/prometheus/alertmanager.yml", "--storage.path=" + t.TempDir(),
		"--web.listen-address=" + address, "--cluster.listen-address=",
	})
	awaitOK(t, "http://"+address+"/-/ready")
	return address
}

func awaitOK(t *testing.T, address string) {
	t.Helper()
	patience.Until(t, address+" answers", func() bool {
		response, err := http.Get(address)
		if err != nil {
			return false
		}
		defer func() { _ = response.Body.Close() }()
		return response.StatusCode == http.StatusOK
	})
}

// get asks the API; into is the answer's data.
func (p *prometheus) get(t *testing.T, path string, values url.Values, into any) {
	t.Helper()
	getJSON(t, p.url+"/api/v1/"+path+"?"+values.Encode(), &struct {
		Data any `json:"data"`
	}{into})
}

func getJSON(t *testing.T, address string, into any) {
	t.Helper()
	response, err := http.Get(address)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode, "%s: %s", address, body)
	require.NoError(t, json.Unmarshal(body, into), "%s: %s", address, body)
}

// sample is one series of an answer.
type sample struct {
	Metric map[string]string `json:"metric"`
	Value  [2]any            `json:"value"`
}

func (s sample) number() string { return fmt.Sprint(s.Value[1]) }

// query evaluates an expression now, and leaves out what is no number.
func (p *prometheus) query(t *testing.T, expression string) (numbers []sample) {
	t.Helper()
	var answer struct {
		Result []sample `json:"result"`
	}
	p.get(t, "query", url.Values{"query": {expression}}, &answer)
	for _, s := range answer.Result {
		if s.number() != "NaN" {
			numbers = append(numbers, s)
		}
	}
	return numbers
}

// selector is one metric that an expression selects.
type selector struct {
	Name     string `json:"name"`
	Matchers []struct {
		Name string `json:"name"`
	} `json:"matchers"`
}

// selectors are all that an expression selects, as Prometheus has parsed it.
func (p *prometheus) selectors(t *testing.T, expression string) (all []selector) {
	t.Helper()
	var tree any
	p.get(t, "parse_query", url.Values{"query": {expression}}, &tree)
	var walk func(node any)
	walk = func(node any) {
		switch n := node.(type) {
		case []any:
			for _, child := range n {
				walk(child)
			}
		case map[string]any:
			if kind := n["type"]; kind == "vectorSelector" || kind == "matrixSelector" {
				encoded, err := json.Marshal(n)
				require.NoError(t, err)
				var s selector
				require.NoError(t, json.Unmarshal(encoded, &s))
				all = append(all, s)
			}
			for _, child := range n {
				walk(child)
			}
		}
	}
	walk(tree)
	return all
}
