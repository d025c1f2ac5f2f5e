package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAlertRulesFireAndStayQuiet(t *testing.T) {
	promtool(t, "check", "rules", "../deploy/prometheus/alerts.yml")
	promtool(t, "check", "config", "../deploy/prometheus/prometheus.yml")
	promtool(t, "test", "rules", "../deploy/prometheus/alerts_test.yml")
	tests, err := os.ReadFile("../deploy/prometheus/alerts_test.yml")
	require.NoError(t, err)
	for _, rule := range readAlertRules(t) {
		assert.Contains(t, string(tests), "name: "+rule.Alert+" fires\n")
		assert.Contains(t, string(tests), "name: "+rule.Alert+" stays quiet\n")
	}
}

func TestEachAlertHasARunbook(t *testing.T) {
	pages := map[string]bool{}
	for _, rule := range readAlertRules(t) {
		page := "docs/runbooks/" + rule.Alert + ".md"
		pages[filepath.Base(page)] = true
		assert.True(t, strings.HasSuffix(rule.Annotations["runbook_url"], page), rule.Alert)
		text, err := os.ReadFile("../" + page)
		if !assert.NoError(t, err) {
			continue
		}
		for _, part := range []string{"# " + rule.Alert + "\n", "\n## See it\n", "\n## Do\n", "\n## It is over\n"} {
			assert.Contains(t, "\n"+string(text), part, page)
		}
	}
	files, err := filepath.Glob("../docs/runbooks/Modelvigil*.md")
	require.NoError(t, err)
	for _, file := range files {
		assert.True(t, pages[filepath.Base(file)], "%s is of no alert", file)
	}
}
