package main

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/internal/patience"
)

// The built binary is what an operator and a script see: exit code, standard
// output, and what the last line of standard error says.
func TestBinary(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "starter")
	out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput()
	require.NoError(t, err, string(out))

	tests := map[string]struct {
		args        []string
		stdin       string
		environment []string
		code        int
		stdout      []string
		stderr      []string // the last one is in the last line
	}{
		"-h lists commands, settings with their defaults and exit codes": {
			args: []string{"-h"}, stdout: []string{
				"demo ", "apply ", "publish ", "status ", "list ", "pause ", "resume ", "retrain ", "stop ", "bench ", "completion ",
				"modelvigil apply policy.yaml", "(default model-monitor)", "LOG_LEVEL ", "(default text)", "(default localhost:7233)", "TEMPORAL_NAMESPACE ", "Exit codes: 0 done",
			},
		},
		"--version":                              {args: []string{"--version"}, environment: []string{"LOG_LEVEL=loud"}, stdout: []string{"modelvigil "}},
		"help ignores wrong settings":            {args: []string{"-h"}, environment: []string{"LOG_LEVEL=loud"}, stdout: []string{"LOG_LEVEL"}},
		"help of a command teaches by example":   {args: []string{"retrain", "-h"}, stdout: []string{"Examples:", "--force", "modelvigil -h"}},
		"a completion script":                    {args: []string{"completion", "bash"}, stdout: []string{"__start_modelvigil"}},
		"completion of models without a server":  {args: []string{"__complete", "status", ""}, stdout: []string{":4"}},
		"no command is wrong usage":              {code: 2, stderr: []string{"Available Commands", "name a command"}},
		"an unknown command":                     {args: []string{"aply"}, code: 2, stderr: []string{`unknown command "aply"`, "see modelvigil -h"}},
		"help of an unknown command":             {args: []string{"help", "aply"}, code: 2, stderr: []string{`unknown command "aply"`, "-h"}},
		"completion without a shell":             {args: []string{"completion"}, code: 2, stderr: []string{"name a shell", "-h"}},
		"an unknown flag":                        {args: []string{"list", "--every"}, code: 2, stderr: []string{"unknown flag --every", "see modelvigil list -h"}},
		"an unknown format":                      {args: []string{"list", "-o", "xml"}, code: 2, stderr: []string{"must be text or json", "-h"}},
		"an argument too many":                   {args: []string{"list", "fraud"}, code: 2, stderr: []string{`takes no arguments, got "fraud"`, "-h"}},
		"status without a model":                 {args: []string{"status"}, code: 2, stderr: []string{"takes one MODEL, got 0 arguments", "-h"}},
		"status of a name that no model has":     {args: []string{"status", ""}, code: 2, stderr: []string{"MODEL: must be 1 to 200 bytes", "-h"}},
		"a timeout of nothing":                   {args: []string{"list", "--timeout", "0s"}, code: 2, stderr: []string{"--timeout: must be above zero", "-h"}},
		"apply without a file":                   {args: []string{"apply"}, code: 2, stderr: []string{"takes at least one FILE", "-h"}},
		"apply with standard input twice":        {args: []string{"apply", "-", "-"}, code: 2, stderr: []string{"read only once", "-h"}},
		"profile of nothing":                     {args: []string{"profile"}, code: 2, stderr: []string{"files of training data, or by --from-model a model", "-h"}},
		"profile of data and of a model":         {args: []string{"profile", "a.csv", "--from-model", "m"}, code: 2, stderr: []string{"DATA or --from-model, got both", "-h"}},
		"profile of a file's model version":      {args: []string{"profile", "a.csv", "--model-version", "v"}, code: 2, stderr: []string{"--model-version", "-h"}},
		"publish without an event":               {args: []string{"publish"}, code: 2, stderr: []string{"--model", "-h"}},
		"publish with an event and a file":       {args: []string{"publish", "--accuracy", "1", "--file", "-"}, code: 2, stderr: []string{"--accuracy can't be given with --file", "-h"}},
		"publish of a table":                     {args: []string{"publish", "--file", "metrics.CSV.gz"}, code: 2, stderr: []string{"metrics.CSV.gz: publish takes JSON, one event to a line", "-h"}},
		"publish of a reading that is no number": {args: []string{"publish", "--model", "m", "--accuracy", "high"}, code: 2, stderr: []string{`"high"`, "-h"}},
		"publish names every fault of the flags": {
			args: []string{"publish", "--model", "m", "--metric", "auc", "--metric", "f1=x", "--metric", "a=1", "--metric", "a=2", "--timestamp", "soon"}, code: 2,
			stderr: []string{`RFC 3339 time such as 2006-01-02T15:04:05Z, or Unix seconds or milliseconds, got "soon"`, `got "auc"`, `got "f1=x"`, `"a" is given twice`, "-h"},
		},
		"publish of a reading that makes no sense": {
			args: []string{"publish", "--model", "m", "--accuracy", "NaN", "--metric", "auc=-Inf"}, code: 1,
			stderr: []string{"the event is not published: accuracy: must be a finite number of magnitude at most 1e+100, got NaN; metrics.auc: must be a finite number"},
		},
		"wrong settings are all named": {
			args: []string{"list"}, environment: []string{"TASK_QUEUE=a b", "LOG_LEVEL=loud", "LOG_FORMAT=xml", "TEMPORAL_TLS=perhaps", "TEMPORAL_ADDRESS=here"}, code: 2,
			stderr: []string{
				`TASK_QUEUE: must be a name without spaces, got "a b"`, `LOG_LEVEL: must be debug, info, warn or error, got "loud"`,
				`LOG_FORMAT: must be text or json, got "xml"`, `TEMPORAL_TLS: must be true or false, got "perhaps"`,
				`TEMPORAL_ADDRESS: must be host:port such as localhost:7233, got "here"`, "modelvigil -h lists them",
			},
		},
		"apply names every fault of every document": {
			args: []string{"apply", "-", "nowhere.yaml"}, stdin: "model_name: a\ncooldwn: 1h\n---\nrules: [{metric: auc, below: .nan}]", code: 1,
			stderr: []string{
				"document 1: cooldwn: unknown field", "document 2: rules[0].below: must be a finite number, got .nan",
				"nowhere.yaml: no such file", "nothing is applied; mend the 3 faults named above",
			},
		},
		"no server": {args: []string{"list"}, code: 1, stderr: []string{"connect to Temporal at 127.0.0.1:1", "TEMPORAL_ADDRESS says where it is"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			command := exec.CommandContext(t.Context(), binary, test.args...)
			command.Env = append(clean(t), test.environment...)
			command.Stdin, command.Stdout, command.Stderr = strings.NewReader(test.stdin), &stdout, &stderr
			_ = command.Run()
			require.Equal(t, test.code, command.ProcessState.ExitCode(), stderr.String())
			for _, want := range test.stdout {
				require.Contains(t, stdout.String(), want)
			}
			rest := stderr.String()
			for _, want := range test.stderr {
				require.Contains(t, rest, want)
			}
			if len(test.stderr) > 0 {
				lines := strings.Split(strings.TrimSpace(rest), "\n")
				require.Contains(t, lines[len(lines)-1], test.stderr[len(test.stderr)-1])
			}
		})
	}

	t.Run("a server that says nothing is waited for no longer than asked", func(t *testing.T) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer func() { _ = listener.Close() }()
		publish := func(timeout string) *exec.Cmd {
			command := exec.CommandContext(t.Context(), binary, "publish", "--model", "m", "--timeout", timeout)
			command.Env = append(clean(t), "TEMPORAL_ADDRESS="+listener.Addr().String())
			return command
		}
		patient := publish(patience.Limit.String())
		require.NoError(t, patient.Start())
		ended := make(chan error, 1)
		go func() { ended <- patient.Wait() }()

		hasty := publish("300ms")
		out, _ := hasty.CombinedOutput()
		require.Equal(t, 1, hasty.ProcessState.ExitCode())
		require.Contains(t, string(out), "connect to Temporal at "+listener.Addr().String())
		require.Empty(t, ended, "the one that was asked to wait longer still does")
		require.NoError(t, patient.Process.Kill())
		require.Error(t, <-ended, "killed")
	})
}

// clean is an environment without settings, and without a server.
func clean(t *testing.T) []string {
	t.Helper()
	return []string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH"), "TEMPORAL_ADDRESS=127.0.0.1:1"}
}
