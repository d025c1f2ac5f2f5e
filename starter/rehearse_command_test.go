package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/internal/patience"
)

const shellModel = `
echo '{"timestamp": "2026-03-01T12:00:00Z", "model_version": "v1", "accuracy": 0.5}'
echo '{"sync": 1}'
read told; read synced
id=$(echo "$told" | sed 's/.*"request_id":"\([^"]*\)".*/\1/')
echo '{"retraining": {"request_id": "'$id'", "state": "succeeded", "model_version": "v2"}}'
echo '{"timestamp": "2026-03-01T12:10:00Z", "model_version": "v2", "accuracy": 0.95}'
`

func TestRehearseClosesTheLoopAroundAnyProgram(t *testing.T) {
	files := map[string]string{"policy.yaml": "model_name: fraud\n", "loop.sh": shellModel, "strict.yaml": "rules: [{metric: accuracy, below: 0.99}]\n"}
	code, out, stderr := inFolder(t, files, "", "rehearse", "policy.yaml", "-o", "json", "--", "sh", "loop.sh")
	require.Zero(t, code, stderr)
	a := jsonOf(t, out)
	require.Len(t, a.Results, 1)
	assert.Equal(t, []any{"policy.yaml", "fraud", int64(2)}, []any{a.Results[0].Policy, a.Results[0].ModelName, a.Results[0].Events})
	assert.EqualValues(t, 1, a.Results[0].Retrainings["succeeded"])
	assert.Equal(t, "v2", a.Results[0].Decisions[1]["model_version"])

	code, out, stderr = inFolder(t, files, "", "rehearse", "policy.yaml", "strict.yaml", "--report", "r.html", "--", "sh", "loop.sh")
	require.Zero(t, code, stderr)
	assert.Contains(t, out, "strict.yaml")
	assert.Regexp(t, `mean accuracy +0\.7250 +0\.7250`, out)
	page, err := os.ReadFile("r.html")
	require.NoError(t, err)
	assert.Contains(t, string(page), "fraud, run 1")
}

func TestRehearseSaysWhatIsWrong(t *testing.T) {
	files := map[string]string{"policy.yaml": "{}"}
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"no program":          {[]string{"policy.yaml"}, exitUsage, "takes a program to run, after --"},
		"no policy":           {[]string{"--", "true"}, exitUsage, "takes at least one POLICY"},
		"a wrong yardstick":   {[]string{"policy.yaml", "--yardstick", "often", "--", "true"}, exitUsage, "flag --yardstick: must be never, always"},
		"a time before now":   {[]string{"policy.yaml", "--approve-after", "-1s", "--", "true"}, exitUsage, "flag --approve-after: must be 0s or more"},
		"a program that dies": {[]string{"policy.yaml", "--", "sh", "-c", "exit 4"}, exitFailed, "sh ended with exit status 4"},
		"no such program":     {[]string{"policy.yaml", "--", "./nowhere"}, exitFailed, "start the program"},
		"no events":           {[]string{"policy.yaml", "--", "true"}, exitFailed, "there are no events to replay"},
	} {
		t.Run(name, func(t *testing.T) {
			code, _, stderr := inFolder(t, files, "", append([]string{"rehearse"}, c.args...)...)
			assert.Equal(t, c.code, code)
			assert.Contains(t, stderr, c.says)
		})
	}
}

// The study's tree, in Python and by this command: examples/elec2/README.md has its figures.
func TestTheExampleInPythonComesToTheStudysFigures(t *testing.T) {
	patience.Long(t)
	data := os.Getenv("ELEC2_DATA")
	if data == "" {
		t.Skip("ELEC2_DATA names no file: the stream is no part of this project; see examples/elec2/stream.go")
	}
	python := os.Getenv("MODELVIGIL_PYTHON")
	if python == "" {
		python = "python3"
	}
	if said, err := exec.Command(python, "-c", "import numpy, sklearn").CombinedOutput(); err != nil {
		t.Skipf("%s has no scikit-learn, which MODELVIGIL_PYTHON may name one with: %v: %s", python, err, said)
	}

	policy := filepath.Join("..", "examples", "elec2", "policies", "bad-day-or-dull-days.yaml")
	loop := filepath.Join("..", "examples", "rehearse", "loop.py")
	var out, stderr bytes.Buffer
	code := run(t.Context(), []string{"rehearse", policy, "-o", "json", "--", python, loop, data}, &bytes.Buffer{}, &out, &stderr)
	require.Zero(t, code, stderr.String())
	var answer struct {
		Results []struct {
			Retrainings map[string]int64
			Metrics     map[string]struct{ Mean float64 }
		}
	}
	require.NoError(t, json.Unmarshal(out.Bytes(), &answer))
	assert.EqualValues(t, 148, answer.Results[0].Retrainings["succeeded"])
	assert.InDelta(t, 0.7670, answer.Results[0].Metrics["accuracy"].Mean, 0.00005)
}
