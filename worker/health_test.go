package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/internal/health"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/workflows/telemetry"
)

func TestHealth(t *testing.T) {
	defer func() { require.NoError(t, patience.Leaks()) }()
	logger := slog.New(slog.DiscardHandler)
	m, err := telemetry.NewMetrics(logger)
	require.NoError(t, err)
	state := newReadiness()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	h := health.Start(listener, health.Handler(state.check, m.Handler()), logger)
	defer func() {
		http.DefaultClient.CloseIdleConnections()
		require.NoError(t, h.Stop(context.Background()))
		require.NoError(t, m.Close(context.Background()))
	}()
	ask := func(path string) (int, string) {
		response, err := http.Get("http://" + listener.Addr().String() + path)
		require.NoError(t, err)
		defer func() { _ = response.Body.Close() }()
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return response.StatusCode, string(body)
	}

	status, _ := ask("/healthz")
	require.Equal(t, http.StatusOK, status, "it lives before it is connected")

	status, body := ask("/readyz")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Equal(t, "not ready: not connected to Temporal yet\n", body)

	state.set(nil, errors.New("no such namespace"))
	_, body = ask("/readyz")
	require.Equal(t, "not ready: no such namespace\n", body)
	require.ErrorContains(t, askReady(t.Context(), listener.Addr().String()), "503 Service Unavailable: not ready: no such namespace")

	m.Temporal.WithTags(map[string]string{"kind": "triggered"}).Counter("modelvigil_decisions").Inc(2)
	m.Temporal.Timer("temporal_request_latency").Record(3e6)
	_, body = ask("/metrics")
	require.Contains(t, body, `modelvigil_decisions_total{kind="triggered"} 2`)
	require.Contains(t, body, `temporal_request_latency_seconds_bucket{le="0.005"} 1`)
	require.Contains(t, body, "go_goroutines ")
	require.Contains(t, body, "process_open_fds ")
}

func TestReadyAsksWhereTheWorkerCanBeReached(t *testing.T) {
	for listen, want := range map[string]string{
		"127.0.0.1:9464": "127.0.0.1:9464", "0.0.0.0:9464": "127.0.0.1:9464", "[::]:80": "127.0.0.1:80", ":9464": "127.0.0.1:9464", "worker:1": "worker:1",
	} {
		require.Equal(t, want, reachable(listen), listen)
	}
}
