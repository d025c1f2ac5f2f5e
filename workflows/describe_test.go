package workflows

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/monitor/contrast"
)

// What a metric or a value is called comes from elsewhere: on the page it is text, in
// a cell of its own.
func TestThePageNamesTheThreeMetricsThatHaveMovedMost(t *testing.T) {
	rule := monitor.RuleStatus{Name: "in|puts", Judged: 40, Beyond: 1}
	for i, name := range []string{"[age](https://evil.example)", "amount", "country"} {
		rule.Drift = append(rule.Drift, contrast.Moved{
			Name: name, Value: 0.1832 / float64(i+1), Threshold: 0.15, Readings: 1204, Reference: 5000,
			Bins: []string{fmt.Sprintf("<b>%d up from 3 %% to 11 %%", i), "another"},
		})
	}
	page := details(monitor.Status{ModelName: "fraud", Versions: map[string]monitor.VersionStatus{
		"v7": {LastSeen: time.Unix(1, 0), Rules: []monitor.RuleStatus{{Name: "accuracy"}, rule}},
	}}, "")

	const gap = "\u2003\u200b | "
	assert.Contains(t, page, "#### Drift of version v7\n")
	assert.Contains(t, page, `| in\|puts`+gap+`\[age\](https:`+"\u200b"+`//evil.example)`+gap+"0.1832"+gap+"0.15"+gap+"1,204"+gap+"5,000"+gap+`\<b>0 up from 3 % to 11 % |`)
	assert.Contains(t, page, "| in\\|puts"+gap+"country"+gap+"0.0610667"+gap)
	assert.Contains(t, page, "| in\\|puts"+gap+"37 more"+gap)
	assert.NotContains(t, page, "another")
}

func TestThePageOfAMonitorWithoutDriftRulesSaysNothingOfDrift(t *testing.T) {
	page := details(monitor.Status{Versions: map[string]monitor.VersionStatus{"v7": {Rules: []monitor.RuleStatus{{Name: "accuracy"}}}}}, "")
	assert.NotContains(t, page, "Drift")
}
