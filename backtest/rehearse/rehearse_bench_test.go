package rehearse_test

import (
	"fmt"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/backtest"
	"github.com/modelvigil/modelvigil/backtest/rehearse"
)

// What a rehearsal costs beside the program, which is the least that Python can do:
// `go test -bench . ./backtest/rehearse`.
func BenchmarkRehearsal(b *testing.B) {
	python, err := exec.LookPath("python3")
	if err != nil {
		b.Skip("there is no python3")
	}
	for name, code := range map[string]string{
		"an event": `
import sys
for i in range(%d):
    sys.stdout.write('{"timestamp": %%d, "model_version": "v1", "accuracy": 0.95, "latency_ms": 120.5}\n' %% (1700000000 + i))
`,
		"a synced row": `
import sys
for i in range(%d):
    sys.stdout.write('{"timestamp": %%d, "model_version": "v1", "accuracy": 0.95}\n{"sync": %%d}\n' %% (1700000000 + i, i))
    sys.stdout.flush()
    sys.stdin.readline()
`,
	} {
		b.Run(name, func(b *testing.B) {
			results, err := rehearse.Run(b.Context(), []backtest.Policy{{Label: "p"}}, nil, []string{python, "-c", fmt.Sprintf(code, b.N)}, rehearse.Options{})
			require.NoError(b, err)
			require.EqualValues(b, b.N, results[0].Events)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
