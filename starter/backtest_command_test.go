package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// inFolder runs modelvigil in a folder that holds these files.
func inFolder(t *testing.T, files map[string]string, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, text := range files {
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	}
	var out, err bytes.Buffer
	code = run(t.Context(), args, strings.NewReader(stdin), &out, &err)
	return code, out.String(), err.String()
}

// answer is what -o json says, as its contract has it.
type answer struct {
	Results []struct {
		Policy      string           `json:"policy"`
		ModelName   string           `json:"model_name"`
		Events      int64            `json:"events"`
		Rejected    int64            `json:"rejected"`
		Breaches    int64            `json:"breaches"`
		Suppressed  map[string]int64 `json:"suppressed"`
		Retrainings map[string]int64 `json:"retrainings"`
		Decisions   []map[string]any `json:"decisions"`
	} `json:"results"`
	RejectedRows int64            `json:"rejected_rows"`
	Sweep        []map[string]any `json:"sweep"`
}

func jsonOf(t *testing.T, text string) (a answer) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(text), &a), text)
	return a
}

const (
	recorded = "timestamp,model_name,accuracy,latency_ms\n" +
		"2026-03-01T12:00:00Z,fraud,0.95,100\n" +
		"2026-03-01T12:10:00Z,fraud,0.80,100\n" +
		"2026-03-01T12:20:00Z,fraud,0.80,100\n" +
		"2026-03-01T12:20:00Z,spam,0.95,250\n" +
		"2026-03-01T13:10:00Z,fraud,0.80,100\n"
	anyModel = "cooldown: 1h\n"
)

func TestBacktestSaysInTheWireFormWhatAPolicyWouldHaveDone(t *testing.T) {
	code, out, stderr := inFolder(t, map[string]string{"policy.yaml": anyModel, "metrics.csv": recorded}, "",
		"backtest", "policy.yaml", "--events", "metrics.csv", "-o", "json", "--training-time", "15m")
	require.Zero(t, code, stderr)
	assert.Empty(t, stderr)
	a := jsonOf(t, out)
	require.Len(t, a.Results, 2)
	fraud, spam := a.Results[0], a.Results[1]
	assert.Equal(t, []any{"policy.yaml", "fraud", int64(4), int64(0), int64(3)},
		[]any{fraud.Policy, fraud.ModelName, fraud.Events, fraud.Rejected, fraud.Breaches})
	assert.Equal(t, map[string]int64{"cooldown": 1}, fraud.Suppressed)
	assert.Equal(t, map[string]int64{"requested": 2, "accepted": 0, "succeeded": 1, "failed": 0, "cancelled": 0}, fraud.Retrainings)
	var kinds []string
	for _, d := range fraud.Decisions {
		kinds = append(kinds, d["at"].(string)+" "+d["kind"].(string))
	}
	assert.Equal(t, []string{
		"2026-03-01T12:10:00Z triggered", "2026-03-01T12:20:00Z suppressed", "2026-03-01T12:25:00Z succeeded", "2026-03-01T13:10:00Z triggered",
	}, kinds)
	assert.Equal(t, "accuracy 0.8000 below threshold 0.9000", fraud.Decisions[0]["reason"])
	assert.Equal(t, "latency 250.00ms above threshold 200.00ms", spam.Decisions[0]["reason"])
}

func TestBacktestForms(t *testing.T) {
	files := map[string]string{
		"policy.yaml": anyModel, "metrics.csv": recorded, "fraud.yaml": "model_name: fraud\n", "spam.yaml": "model_name: spam\n", "absent.yaml": "model_name: absent\n",
		"auc.yaml": "rules: [{metric: auc, below: 0.8}]\n", "gini.yaml": "rules: [{metric: gini, below: 0.5}]\n",
		"empty.csv": "timestamp,model_name,auc,acc\n2026-03-01 12:00:00,m,NaN,0.9\n",
		"two.yaml":  "rules: [{metric: accuracy, below: 0.9}]\n---\nrules: [{metric: accuracy, below: 0.5}]\n",
		"bad.csv":   recorded + "soon,fraud,1,1\n" + strings.Repeat("2026-03-01,fraud,high,1\n", 7),
		"one.csv":   "when,acc\n2026-03-01 12:00:00,0.5\n",
		"e.ndjson":  `{"timestamp": "2026-03-01T12:00:00Z", "model_name": "fraud", "accuracy": 0.5}` + "\n",
		"noise.csv": "timestamp,model_name,accuracy\nsoon,fraud,1\n",
		"points":    "at\n# known\n2026-03-01T12:05:00Z,first\n2026-03-01T13:00:00Z\n",
	}
	var zipped bytes.Buffer
	writer := gzip.NewWriter(&zipped)
	_, _ = writer.Write([]byte(recorded))
	require.NoError(t, writer.Close())
	files["metrics.csv.gz"] = zipped.String()

	for name, c := range map[string]struct {
		args           []string // after backtest
		stdin          string
		code           int
		stdout, stderr []string // the last of stderr is in its last line
		never          string   // in stdout
	}{
		"text, with all that matters": {
			args: []string{"policy.yaml", "--events", "metrics.csv"},
			stdout: []string{
				"fraud: 4 events, 2026-03-01 12:00:00 UTC to 2026-03-01 13:10:00 UTC", "retrainings", "suppressed: cooldown", "time in breach", "decisions:",
				"triggered", "accuracy 0.8000 below threshold 0.9000", "spam: 1 event,", "Open loop: the recorded metrics do not change",
			},
		},
		"policies side by side":            {args: []string{"policy.yaml", "fraud.yaml", "metrics.csv"}, stdout: []string{"policy.yaml  fraud.yaml", "decisions of fraud.yaml:"}},
		"documents of a file side by side": {args: []string{"two.yaml", "metrics.csv"}, stdout: []string{"two.yaml #1  two.yaml #2"}},
		"a policy of one model":            {args: []string{"spam.yaml", "metrics.csv"}, stdout: []string{"spam: 1 event,"}, never: "fraud"},
		"a model without events": {
			args: []string{"absent.yaml", "--events", "metrics.csv"}, stdout: []string{"absent: no events"},
			stderr: []string{`absent.yaml: there are no events of model "absent"; they are of "fraud", "spam"`},
		},
		"gzip is told by what it holds": {args: []string{"policy.yaml", "metrics.csv.gz"}, stdout: []string{"fraud: 4 events"}},
		"files are merged":              {args: []string{"fraud.yaml", "metrics.csv", "--events", "e.ndjson"}, stdout: []string{"fraud: 5 events"}},
		"events from standard input":    {args: []string{"policy.yaml", "--events", "-"}, stdin: recorded, stdout: []string{"fraud: 4 events"}},
		"a policy from standard input":  {args: []string{"-", "--events", "metrics.csv"}, stdin: "{}", stdout: []string{"fraud: 4 events", "standard input\n", "retrainings                        2"}},
		"defaults of a policy":          {args: []string{"-", "--events", "metrics.csv"}, stdin: "defaults: {}\ncooldown: 2h\n---\n{}", stdout: []string{"retrainings                        1"}},
		"a column and a model by flags": {args: []string{"policy.yaml", "one.csv", "--map", "timestamp=when", "--map", "accuracy=acc", "--model", "m"}, stdout: []string{"m: 1 event,", "accuracy 0.5000"}},
		"the model of the only policy":  {args: []string{"spam.yaml", "one.csv", "--map", "timestamp=when", "--map", "accuracy=acc"}, stdout: []string{"spam: 1 event,"}},
		"drift points from the flag":    {args: []string{"fraud.yaml", "metrics.csv", "--drift-points", "2026-03-01T12:05:00Z,2026-03-01 13:11:00"}, stdout: []string{"mean delay", "5m", "drift missed", "missed"}},
		"drift points from a file":      {args: []string{"fraud.yaml", "metrics.csv", "--drift-points", "points"}, stdout: []string{"7m30s", "drift at", "2026-03-01 13:10:00 UTC"}},
		"a sweep is a table":            {args: []string{"fraud.yaml", "metrics.csv", "--sweep", "accuracy.below=0.7:0.9:0.1", "--drift-points", "points"}, stdout: []string{"accuracy.below  retrainings  breaches  time in breach  mean delay  missed  false alarms", "0.7 ", "0.8 ", "0.9 "}},
		"bad rows are counted, and a few shown": {
			args: []string{"fraud.yaml", "bad.csv"}, stdout: []string{"rejected", "8 rows are rejected; see standard error"},
			stderr: []string{"bad.csv:7: timestamp: must be RFC 3339", "bad.csv:11: accuracy: must be a number, got \"high\"", "3 more rows are rejected"},
		},
		"strict ends at the first": {
			args: []string{"fraud.yaml", "bad.csv", "--strict"}, code: 1, stderr: []string{"modelvigil backtest: bad.csv:7: timestamp: must be RFC 3339", "without --strict such rows are counted"},
		},
		"no event that can be read": {args: []string{"fraud.yaml", "noise.csv"}, code: 1, stderr: []string{"noise.csv:2: ", "there are no events to replay: 1 row is rejected"}},
		"a file that isn't there":   {args: []string{"fraud.yaml", "nowhere.csv"}, code: 1, stderr: []string{"nowhere.csv: no such file"}},
		"faults of policies are all named": {
			args: []string{"-", "nowhere.yaml", "metrics.csv"}, stdin: "cooldwn: 1h\n---\nmodel_name: 7\n---\n[]", code: 1,
			stderr: []string{"standard input:3: document 2: model_name: must be a string", "standard input:5: document 3: must be a mapping", "nowhere.yaml: no such file", "standard input:1: document 1: cooldwn: unknown field"},
		},
		"no policy":            {args: []string{"--events", "metrics.csv"}, code: 2, stderr: []string{"takes at least one POLICY file", "see modelvigil backtest -h"}},
		"no events":            {args: []string{"policy.yaml"}, code: 2, stderr: []string{"takes at least one FILE of events, by --events", "-h"}},
		"standard input twice": {args: []string{"-", "--events", "-"}, code: 2, stderr: []string{"read only once", "-h"}},
		"faults of flags are all named": {
			args: []string{"policy.yaml", "metrics.csv", "--map", "a", "--map", "b=c", "--map", "b=d", "--outcome", "lost", "--training-time", "-1s", "--sweep", "x", "--drift-points", "soon"}, code: 2,
			stderr: []string{
				`flag --map: must be FIELD=COLUMN such as accuracy=acc, got "a"`, `flag --map: "b" is given twice`, `flag --outcome: must be succeeded, failed or accepted, got "lost"`,
				"flag --training-time: must be 0s or more", "flag --sweep: must be PARAMETER=VALUE", "flag --drift-points: timestamp: must be", "nor is it a file", "-h",
			},
		},
		"a metric that no column is called": {
			args:   []string{"gini.yaml", "one.csv", "--map", "timestamp=when", "--model", "m"},
			stdout: []string{`rule "gini" has judged nothing: no event measures "gini"; there are acc; --map gini=COLUMN names the column that holds it`},
		},
		"a metric whose name is near a column's": {
			args:   []string{"auc.yaml", "one.csv", "--map", "timestamp=when", "--model", "m"},
			stdout: []string{`no event measures "auc"; did you mean acc?; --map auc=COLUMN names the column that holds it`},
		},
		"a metric whose column is empty": {
			args:   []string{"auc.yaml", "empty.csv"},
			stdout: []string{`no event measures "auc", whose column holds no value`},
		},
		"a zone that is none":         {args: []string{"policy.yaml", "metrics.csv", "--zone", "Berlin"}, code: 2, stderr: []string{`flag --zone: must be a name of the IANA time zone database, such as Europe/Berlin, got "Berlin"`, "-h"}},
		"a sweep of what no rule has": {args: []string{"policy.yaml", "metrics.csv", "--sweep", "auc.below=1,2"}, code: 2, stderr: []string{"flag --sweep: policy.yaml: auc.below=1: auc: unknown field", "the rules are accuracy, latency, drift", "-h"}},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, stderr := inFolder(t, files, c.stdin, append([]string{"backtest"}, c.args...)...)
			require.Equal(t, c.code, code, stderr)
			for _, want := range c.stdout {
				assert.Contains(t, out, want)
			}
			if c.never != "" {
				assert.NotContains(t, out, c.never)
			}
			for _, want := range c.stderr {
				assert.Contains(t, stderr, want)
			}
			if len(c.stderr) > 0 {
				lines := strings.Split(strings.TrimSpace(stderr), "\n")
				assert.Contains(t, lines[len(lines)-1], c.stderr[len(c.stderr)-1])
			}
		})
	}
}

func TestBacktestCountsRejectedRowsOfItsModel(t *testing.T) {
	code, out, _ := inFolder(t, map[string]string{"p.yaml": "{}", "m.csv": recorded + "soon,spam,1,1\n2026-03-01,fraud\n"}, "",
		"backtest", "p.yaml", "m.csv", "-o", "json", "--outcome", "failed", "--sweep", "cooldown=1m,2h")
	require.Zero(t, code)
	a := jsonOf(t, out)
	assert.EqualValues(t, 2, a.RejectedRows)
	assert.EqualValues(t, 0, a.Results[0].Rejected, "whose the row with a column too few is, nobody knows")
	assert.EqualValues(t, 1, a.Results[1].Rejected)
	assert.EqualValues(t, 2, a.Results[0].Retrainings["failed"])
	require.Len(t, a.Sweep, 4)
	assert.Equal(t, "1m", a.Sweep[0]["value"])
	assert.EqualValues(t, 3, a.Sweep[0]["breaches"])
	assert.NotContains(t, a.Sweep[0], "decisions")
}

func TestBacktestWritesAReport(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "report.html")
	code, _, stderr := inFolder(t, map[string]string{"p.yaml": "{}", "m.csv": recorded}, "", "backtest", "p.yaml", "m.csv", "--report", path)
	require.Zero(t, code, stderr)
	page, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Contains(t, string(page), "uPlot")
	assert.NotRegexp(t, `https?://`, string(page))

	code, _, stderr = inFolder(t, map[string]string{"p.yaml": "{}", "m.csv": recorded}, "", "backtest", "p.yaml", "m.csv", "--report", filepath.Join(folder, "no", "r.html"))
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "write the report: ")
}
