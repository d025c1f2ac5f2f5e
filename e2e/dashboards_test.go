package e2e

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/modelvigil/modelvigil/internal/patience"
)

// dashboard is what the test reads of a dashboard of Grafana's.
type dashboard struct {
	Templating struct {
		List []struct {
			Name, Type string
			Definition string
		}
	}
	Annotations struct {
		List []struct{ Name, Expr string }
	}
	Panels []struct {
		Title   string
		Targets []struct{ Expr string }
	}
}

// alertRule is what the test reads of a rule of Prometheus'.
type alertRule struct {
	Alert, Expr string
	Annotations map[string]string
}

func readAlertRules(t *testing.T) (rules []alertRule) {
	t.Helper()
	text, err := os.ReadFile("../deploy/prometheus/alerts.yml")
	require.NoError(t, err)
	var file struct {
		Groups []struct{ Rules []alertRule }
	}
	require.NoError(t, yaml.Unmarshal(text, &file))
	for _, group := range file.Groups {
		rules = append(rules, group.Rules...)
	}
	require.NotEmpty(t, rules)
	return rules
}

// What a fleet shows is watched by the real Prometheus: each panel of each
// dashboard has data, each alert looks at metrics that there are and reaches
// Alertmanager, and docs/operating.md has every metric.
func TestDashboardsAndAlertsOnAFleetInWhichEverythingHasHappened(t *testing.T) {
	t.Parallel()
	s := tellStory(t)
	t.Run("every panel has data", func(t *testing.T) {
		files, err := filepath.Glob("../deploy/grafana/*.json")
		require.NoError(t, err)
		require.Len(t, files, 3)
		for _, file := range files {
			s.checkDashboard(t, file)
		}
	})
	t.Run("every alert looks at metrics that there are", s.checkAlerts)
	t.Run("an alert reaches Alertmanager, and says what to do", func(t *testing.T) {
		var alerts []struct{ Labels, Annotations map[string]string }
		patience.Until(t, "Alertmanager knows that retrainings fail", func() bool {
			getJSON(t, "http://"+s.alertmanager+`/api/v2/alerts?filter=`+url.QueryEscape(`alertname="ModelvigilRetrainingsFail"`), &alerts)
			return len(alerts) > 0
		})
		assert.Equal(t, "warning", alerts[0].Labels["severity"])
		assert.Equal(t, "Retrainings of task queue "+s.queue+" fail.", alerts[0].Annotations["summary"])
		assert.Contains(t, alerts[0].Annotations["runbook_url"], "docs/runbooks/ModelvigilRetrainingsFail.md")
	})
	t.Run("docs/operating.md has every metric", s.checkDocs)
}

func (s *story) checkDashboard(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var d dashboard
	require.NoError(t, json.Unmarshal(text, &d))
	values := map[string]string{
		"namespace": "default", "task_queue": s.queue, "model": "story-fraud", "job": "modelvigil-worker",
		"__rate_interval": "30s", "__range": "1h",
	}
	substitute := func(expression string) string {
		for name, value := range values {
			expression = strings.ReplaceAll(expression, "$"+name, value)
		}
		return expression
	}
	for _, v := range d.Templating.List {
		if v.Type != "query" {
			continue
		}
		label, expression := labelValues(t, substitute(v.Definition))
		found := false
		patience.Until(t, file+": variable "+v.Name+" has values", func() bool {
			for _, series := range s.prometheus.query(t, expression) {
				value := series.Metric[label]
				found = found || value == values[v.Name] || values[v.Name] == "" && value != ""
				if values[v.Name] == "" && value != "" {
					values[v.Name] = value
				}
			}
			return found
		})
	}
	check := func(title, expression string) {
		expression = substitute(expression)
		require.NotContains(t, expression, "$", "%s: %s: a variable that nobody has", file, title)
		patience.Until(t, file+": "+title+" has data: "+expression, func() bool { return len(s.prometheus.query(t, expression)) > 0 })
	}
	n := 0
	for _, panel := range d.Panels {
		for _, target := range panel.Targets {
			check(panel.Title, target.Expr)
			n++
		}
	}
	for _, annotation := range d.Annotations.List {
		check("annotation "+annotation.Name, annotation.Expr)
	}
	t.Logf("%s: %d panels, %d queries, all with data", filepath.Base(file), len(d.Panels), n)
}

// labelValues reads label_values(expression, label), which is Grafana's own.
func labelValues(t *testing.T, definition string) (label, expression string) {
	t.Helper()
	inner, ok := strings.CutPrefix(strings.TrimSuffix(definition, ")"), "label_values(")
	require.True(t, ok, definition)
	at := strings.LastIndex(inner, ",")
	require.Positive(t, at, definition)
	return strings.TrimSpace(inner[at+1:]), inner[:at]
}

func (s *story) checkAlerts(t *testing.T) {
	var state struct {
		Groups []struct {
			Rules []struct{ Name, Health, LastError string }
		}
	}
	healthy := map[string]bool{}
	patience.Until(t, "all rules were evaluated", func() bool {
		s.prometheus.get(t, "rules", url.Values{}, &state)
		for _, group := range state.Groups {
			for _, rule := range group.Rules {
				require.NotEqual(t, "err", rule.Health, "%s: %s", rule.Name, rule.LastError)
				if rule.Health == "ok" {
					healthy[rule.Name] = true
				}
			}
		}
		return len(healthy) == len(readAlertRules(t))
	})
	for _, rule := range readAlertRules(t) {
		for _, selected := range s.prometheus.selectors(t, rule.Expr) {
			series := s.prometheus.query(t, selected.Name)
			if !assert.NotEmpty(t, series, "%s looks at %s, which there is none of", rule.Alert, selected.Name) {
				continue
			}
			for _, matcher := range selected.Matchers {
				assert.Contains(t, series[0].Metric, matcher.Name, "%s looks at a label of %s that it doesn't have", rule.Alert, selected.Name)
			}
		}
	}
}

// documented is a row of docs/operating.md.
type documented struct{ kind, labels string }

func (s *story) checkDocs(t *testing.T) {
	text, err := os.ReadFile("../docs/operating.md")
	require.NoError(t, err)
	rows := map[string]documented{}
	for line := range strings.Lines(string(text)) {
		if cells := strings.Split(line, "|"); len(cells) == 6 && strings.HasPrefix(cells[1], " `modelvigil_") {
			labels := strings.Split(strings.ReplaceAll(strings.TrimSpace(cells[3]), "`", ""), ", ")
			slices.Sort(labels)
			rows[strings.Trim(cells[1], " `")] = documented{strings.TrimSpace(cells[2]), strings.Join(labels, " ")}
		}
	}
	seen := map[string]documented{}
	for job, address := range s.pages {
		for name, metric := range readMetrics(t, address) {
			assert.Equal(t, metric, rows[name], "%s of %s, in /metrics and in docs/operating.md", name, job)
			seen[name] = metric
		}
	}
	for name := range rows {
		assert.Contains(t, seen, name, "docs/operating.md has it")
	}
}

// readMetrics reads our metrics from a page, with their labels but for those that
// all have.
func readMetrics(t *testing.T, address string) map[string]documented {
	t.Helper()
	response, err := http.Get("http://" + address + "/metrics")
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(response.Body)
	require.NoError(t, err)
	found := map[string]documented{}
	for name, family := range families {
		if !strings.HasPrefix(name, "modelvigil_") {
			continue
		}
		var labels []string
		for _, label := range family.GetMetric()[0].GetLabel() {
			if !slices.Contains([]string{"namespace", "task_queue"}, label.GetName()) {
				labels = append(labels, label.GetName())
			}
		}
		slices.Sort(labels)
		found[name] = documented{strings.ToLower(family.GetType().String()), strings.Join(labels, " ")}
	}
	return found
}
