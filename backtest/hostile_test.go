package backtest_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
)

// However a model, a version, a metric and a rule are called: a page has the elements
// that it has with harmless names, and the names stand in its data alone.
func TestNoNameIsMarkupInAReport(t *testing.T) {
	page := func(name string) string {
		rule, err := json.Marshal(map[string]any{"rules": []any{map[string]any{"name": name, "metric": name, "above": 0.5}}})
		require.NoError(t, err)
		var wanted policy.Policy
		require.NoError(t, json.Unmarshal(rule, &wanted))
		var events []metric.Event
		for i := range 20 {
			at := noon.Add(time.Duration(i) * time.Minute)
			events = append(events, metric.Event{Timestamp: at, ModelName: name, ModelVersion: name, Metrics: map[string]float64{name: float64(i % 2)}})
		}
		text, _ := report(t, wanted, events...)
		return text
	}

	harmless := page("name")
	for _, hostile := range []string{
		"<img src=x onerror=alert(1)>", "</script><script>alert(1)</script>", "<!--<script>", "]]><svg/onload=alert(1)>", "</title></style></textarea><b>",
		`" onload="alert(1)`, `' onload='alert(1)`, "`${alert(1)}`", "</SCRIPT ><iframe>",
	} {
		text := page(hostile)
		assert.Equal(t, strings.Count(harmless, "<"), strings.Count(text, "<"), "%q is no element", hostile)
		assert.True(t, outside(t, harmless) == outside(t, text), "%q is nowhere but in the page's data", hostile)
	}
}

// outside is a page without its data, which its script reads as JSON.
func outside(t *testing.T, page string) string {
	t.Helper()
	before, rest, found := strings.Cut(page, `<script type="application/json" id="data">`)
	require.True(t, found)
	_, after, found := strings.Cut(rest, "</script>")
	require.True(t, found)
	return before + after
}
