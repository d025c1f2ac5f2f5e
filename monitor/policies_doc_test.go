package monitor_test

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/monitor/journal"
	"github.com/modelvigil/modelvigil/monitor/retraining"
	"github.com/modelvigil/modelvigil/policy"
	"github.com/modelvigil/modelvigil/policy/calendar"
)

const policiesDoc = "../docs/policies.md"

// docBlock is a fenced block of the document.
type docBlock struct {
	kind    string // what follows the fence: `yaml policy`, `text timeline`
	heading string // above it
	text    string
	line    int // of its first line
}

// docBlocks returns the fenced blocks, in order.
func docBlocks(document string) (blocks []docBlock) {
	heading, open := "", false
	for i, line := range strings.Split(document, "\n") {
		kind, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && !open:
			blocks = append(blocks, docBlock{kind: kind, heading: heading, line: i + 2})
			open = true
		case fence:
			open = false
		case open:
			blocks[len(blocks)-1].text += line + "\n"
		case strings.HasPrefix(line, "#"):
			heading = strings.Trim(line, "# `")
		}
	}
	return blocks
}

func readPoliciesDoc(t *testing.T) string {
	document, err := os.ReadFile(policiesDoc)
	require.NoError(t, err)
	return string(document)
}

func whereInDoc(line int) string { return fmt.Sprintf("docs/policies.md:%d", line) }

// The document doesn't lie: the machine decides what each timeline says, and
// nothing else, also when it is cut at each input.
func TestTheTimelinesOfTheDocumentAreWhatTheMachineDecides(t *testing.T) {
	policy := docBlock{}
	used, timelines := true, 0
	for _, block := range docBlocks(readPoliciesDoc(t)) {
		switch block.kind {
		case "yaml policy":
			require.True(t, used, "%s: no timeline follows this policy", whereInDoc(policy.line))
			policy, used = block, false
		case "text timeline":
			require.NotEmpty(t, policy.text, "%s: no policy is above this timeline", whereInDoc(block.line))
			used = true
			timelines++
			t.Run(fmt.Sprintf("%s, line %d", block.heading, block.line), func(t *testing.T) {
				moments, err := parseTimeline(block.text, block.line)
				require.NoError(t, err, policiesDoc)
				playTimeline(t, policy.text, moments, false, whereInDoc)
				playTimeline(t, policy.text, moments, true, whereInDoc)
			})
		}
	}
	require.True(t, used, "%s: no timeline follows this policy", whereInDoc(policy.line))
	require.Greater(t, timelines, 40, "the examples were not found")
}

// A test of the test: a document that lies is found out.
func TestATimelineThatLiesIsFoundOut(t *testing.T) {
	const policy = `rules: [{metric: accuracy, below: 0.9}]`
	for lie, timeline := range map[string]string{
		"a decision that did not fall":          "00:00 accuracy 0.95 -> triggered",
		"a decision that is left out":           "00:00 accuracy 0.8\n00:01 accuracy 0.95",
		"another reason":                        "00:00 accuracy 0.8 -> triggered: latency 250.00ms above threshold 200.00ms",
		"another suppression":                   "00:00 accuracy 0.8 -> triggered\n00:01 accuracy 0.8 -> suppressed (in_flight)",
		"another verdict":                       "00:00 accuracy 0.8 -> triggered\n00:01 rule accuracy is healthy",
		"another phase":                         "00:00 phase is paused",
		"another count":                         "00:00 accuracy 0.8 x 3 -> triggered\n -> suppressed (cooldown) x 3",
		"a decision that fell before its line":  "00:00 accuracy 0.8 -> triggered\n24:30 -> timed_out",
		"a command that is allowed, as refused": "00:00 retrain -> refused",
	} {
		t.Run(lie, func(t *testing.T) {
			moments, err := parseTimeline(timeline, 1)
			require.NoError(t, err)
			failed := &failure{}
			done := make(chan struct{})
			go func() { // a failed requirement ends its goroutine
				defer close(done)
				playTimeline(failed, policy, moments, false, whereInDoc)
			}()
			<-done
			assert.Contains(t, failed.message, "docs/policies.md:")
		})
	}
}

// failure is a test that may fail.
type failure struct{ message string }

func (f *failure) Errorf(format string, args ...any) { f.message += fmt.Sprintf(format, args...) }
func (f *failure) FailNow()                          { runtime.Goexit() }

// docTable returns the rows of the table below a heading, each of its cells.
func docTable(t *testing.T, heading string) (rows [][]string) {
	inSection := false
	for _, line := range strings.Split(readPoliciesDoc(t), "\n") {
		if strings.HasPrefix(line, "#") {
			inSection = strings.Trim(line, "# ") == heading
		}
		line = strings.TrimSpace(line)
		if !inSection || !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|---") {
			continue
		}
		var cells []string
		for _, cell := range strings.Split(strings.Trim(line, "| "), "|") {
			cells = append(cells, strings.TrimSpace(cell))
		}
		rows = append(rows, cells)
	}
	require.Greater(t, len(rows), 1, "%s: no table below %q", policiesDoc, heading)
	return rows[1:]
}

// The states of the table of manual retrainings, as timelines that lead to them.
var manualStates = map[string]string{
	"watching":                           "00:00 accuracy 0.95",
	"in the cooldown":                    "00:00 accuracy 0.8 -> triggered\n00:01 retraining succeeded\n00:02",
	"in a blackout":                      "22:30",
	"a retraining is in flight":          "00:00 accuracy 0.8 -> triggered\n01:30",
	"at the end of its budget":           "00:00 apply {budget: {retrainings: 1, per: 24h}}\n00:00 accuracy 0.8 -> triggered\n00:01 retraining succeeded\n02:00",
	"the policy asks for approval":       "00:00 apply {approval: {required: true}}",
	"a trigger waits for approval":       "00:00 apply {approval: {required: true}}\n00:01 accuracy 0.8 -> awaiting_approval",
	"paused, by an operator":             "00:00 pause",
	"paused, by the circuit":             "00:00 apply {max_failures: 1}\n00:00 accuracy 0.8 -> triggered\n00:01 retraining failed -> circuit_opened\n02:00",
	"the policy is a dry run":            "00:00 apply {dry_run: true}",
	"stopping":                           "00:00 accuracy 0.8 -> triggered\n00:01 stop",
	"in the cooldown, and in a blackout": "21:30 accuracy 0.8 -> triggered\n21:31 retraining succeeded\n22:10",
}

func TestTheTableOfManualRetrainingsIsWhatTheMachineDoes(t *testing.T) {
	rows := docTable(t, "By hand")
	assert.Len(t, rows, len(manualStates), "every state has a row")
	for _, row := range rows {
		require.Len(t, row, 3)
		state, known := manualStates[row[0]]
		require.True(t, known, "state %q has no timeline here", row[0])
		last := state[strings.LastIndex("\n"+state, "\n"):]
		at := timePattern.FindString(last + " ")
		for column, command := range []string{"retrain", "retrain --force"} {
			cell := row[column+1]
			t.Run(row[0]+": "+command, func(t *testing.T) {
				expected := map[string]string{
					"goes out": "triggered by manual", "waits for approval": "awaiting_approval by manual",
					"goes out; the waiting trigger is dropped": "approved\n -> triggered by manual",
				}[cell]
				if reason, refused := strings.CutPrefix(cell, "refused: "); refused {
					expected = "refused: " + reason
				}
				require.NotEmpty(t, expected, "cell %q", cell)
				moments, err := parseTimeline(state+"\n"+at+command+" -> "+expected, 1)
				require.NoError(t, err)
				where := func(int) string { return fmt.Sprintf("%s: %s", policiesDoc, row[0]) }
				playTimeline(t, `blackout: [{from: "22:00", to: "24:00"}]`, moments, false, where)
			})
		}
	}
}

func TestTheDocumentHasTheOrderOfSuppressions(t *testing.T) {
	var order []string
	for _, row := range docTable(t, "What suppresses a breach") {
		order = append(order, strings.Trim(row[0], "`"))
	}
	var known []string
	for _, by := range journal.Suppressions() {
		known = append(known, string(by))
	}
	assert.Equal(t, known, order)
}

// Every field of a policy has a row of a table.
func TestTheDocumentHasEveryField(t *testing.T) {
	inTables := map[string]bool{}
	for _, line := range strings.Split(readPoliciesDoc(t), "\n") {
		if strings.HasPrefix(line, "| ") {
			cell, _, _ := strings.Cut(strings.TrimPrefix(line, "| "), " |")
			for _, name := range regexp.MustCompile("`([a-z_.]+)`").FindAllStringSubmatch(cell, -1) {
				inTables[name[1]] = true
			}
		}
	}
	for prefix, of := range map[string]reflect.Type{
		"": reflect.TypeFor[policy.Policy](), "approval.": reflect.TypeFor[policy.Approval](), "verify.": reflect.TypeFor[policy.Verify](), "budget.": reflect.TypeFor[policy.Budget](),
		"retraining.": reflect.TypeFor[policy.Retraining](), "blackout.": reflect.TypeFor[calendar.Blackout](), "notify.": reflect.TypeFor[policy.Notify](),
		"rules.": reflect.TypeFor[policy.Rule](), "datapoints.": reflect.TypeFor[policy.Datapoints](),
		"baseline.": reflect.TypeFor[policy.Baseline](), "change.": reflect.TypeFor[policy.Change](),
	} {
		var missing []string
		for _, name := range wireFields(of) {
			if name = strings.TrimPrefix(prefix+name, "rules."); !inTables[name] {
				missing = append(missing, name)
			}
		}
		assert.Empty(t, missing, "of %s", of.Name())
	}
}

// The page on the wire contract names every field of what a monitor answers.
func TestTheWirePageHasEveryFieldOfAnAnswer(t *testing.T) {
	page, err := os.ReadFile("../docs/wire.md")
	require.NoError(t, err)
	_, status, _ := strings.Cut(string(page), "## Status\n")
	status, _, _ = strings.Cut(status, "\n## ")

	for answer, types := range map[string][]reflect.Type{
		"query | `profile` |":  {reflect.TypeFor[monitor.ProfileAsked](), reflect.TypeFor[monitor.Profiled]()},
		"query | `guidance` |": {reflect.TypeFor[contract.Guidance]()},
		"| `retrainings` |":    {reflect.TypeFor[monitor.RetrainingCounters]()},
		"| `notices` |":        {reflect.TypeFor[journal.NoticeCounters]()},
		"| `next` |":           {reflect.TypeFor[monitor.Next]()},
		"| `versions` |": {
			reflect.TypeFor[monitor.VersionStatus](), reflect.TypeFor[monitor.MetricStatus](), reflect.TypeFor[monitor.RuleStatus](), reflect.TypeFor[monitor.DatapointStatus](),
		},
		"| `decisions` |":  {reflect.TypeFor[monitor.Decision]()},
		"| `rejections` |": {reflect.TypeFor[monitor.Rejection]()},
		"":                 {reflect.TypeFor[monitor.Status](), reflect.TypeFor[retraining.BudgetStatus]()},
	} {
		said := status
		if answer != "" {
			_, said, _ = strings.Cut(string(page), answer)
			said, _, _ = strings.Cut(said, "\n")
		}
		for _, of := range types {
			for _, name := range wireFields(of) {
				assert.Regexp(t, "[`\"]"+name+"[`\"]", said, "%s of %s", name, of.Name())
			}
		}
	}
}

// wireFields are what a type's fields are called in JSON, those of what it embeds too.
func wireFields(of reflect.Type) (names []string) {
	for _, field := range reflect.VisibleFields(of) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name != "" {
			names = append(names, name)
		}
	}
	return names
}
