package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/internal/patience"
)

// The built binary is what an orchestrator sees: exit code, standard output and
// standard error.
func TestBinary(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "worker")
	out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput()
	require.NoError(t, err, string(out))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	taken := listener.Addr().String()

	tests := map[string]struct {
		args        []string
		environment map[string]string
		code        int
		stdout      []string
		stderr      []string
	}{
		"-h lists all settings with their defaults": {
			args: []string{"-h"},
			stdout: []string{
				"TASK_QUEUE (default model-monitor)", "MODELOPS_BACKEND (default log)", "MODELOPS_WEBHOOK_URL\n", "MODELOPS_WEBHOOK_SECRET\n",
				"MODELOPS_POLL_INTERVAL (default 15s)", "LISTEN_ADDRESS (default 127.0.0.1:9464)", "LOG_LEVEL (default info)",
				"LOG_FORMAT (default text)", "TEMPORAL_ADDRESS (default localhost:7233)", "TEMPORAL_NAMESPACE (default default)",
			},
		},
		"--help is -h, whatever the settings":         {args: []string{"--help"}, environment: allWrong, stdout: []string{"TASK_QUEUE"}},
		"--version says which program and release":    {args: []string{"--version"}, environment: allWrong, stdout: []string{"modelvigil-worker "}},
		"an unknown flag is wrong usage":              {args: []string{"--queue=x"}, code: 2, stderr: []string{"-queue", "worker -h"}},
		"an argument is wrong usage":                  {args: []string{"start"}, code: 2, stderr: []string{`unknown argument "start"`, "worker -h"}},
		"wrong settings are all named":                {environment: allWrong, code: 2, stderr: allFaults},
		"-ready fails when no worker listens":         {args: []string{"-ready"}, environment: map[string]string{"LISTEN_ADDRESS": "127.0.0.1:1"}, code: 1, stderr: []string{"127.0.0.1:1"}},
		"an address in use is named, with the remedy": {environment: map[string]string{"LISTEN_ADDRESS": taken}, code: 1, stderr: []string{"LISTEN_ADDRESS " + taken, "address already in use", "choose another"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			cmd := exec.CommandContext(t.Context(), binary, test.args...)
			cmd.Env = []string{}
			for name, value := range test.environment {
				cmd.Env = append(cmd.Env, name+"="+value)
			}
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			_ = cmd.Run()
			require.Equal(t, test.code, cmd.ProcessState.ExitCode(), stderr.String())
			for _, want := range test.stdout {
				require.Contains(t, stdout.String(), want)
			}
			for _, want := range test.stderr {
				require.Contains(t, stderr.String(), want)
			}
		})
	}
}

func TestServerThatIsAwayIsWaitedForUntilTheStop(t *testing.T) {
	defer func() { require.NoError(t, patience.Leaks()) }()
	defer http.DefaultClient.CloseIdleConnections()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	listen := listener.Addr().String()
	require.NoError(t, listener.Close())
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	code := make(chan int, 1)
	environment := map[string]string{"LISTEN_ADDRESS": listen, "TEMPORAL_ADDRESS": "127.0.0.1:1"}
	go func() { code <- run(ctx, nil, environment, io.Discard, io.Discard) }()

	patience.Until(t, "it says what it waits for", func() bool {
		err := askReady(t.Context(), listen)
		return err != nil && strings.Contains(err.Error(), "503 Service Unavailable: not ready: connect to Temporal at 127.0.0.1:1")
	})
	stop()
	require.Equal(t, exitDone, <-code)
}
