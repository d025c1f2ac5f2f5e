package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// probeTimeout bounds one answer of /readyz, below the second or more that
// orchestrators wait for a probe.
const probeTimeout = 900 * time.Millisecond

// health answers whoever watches this process.
type health struct {
	server *http.Server
	done   chan error
}

// startHealth serves /healthz (the process lives), /readyz (it does its work, or
// 503 and why not) and /metrics, until stop.
func startHealth(listener net.Listener, ready func(context.Context) error, metrics http.Handler, logger *slog.Logger) *health {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "ok\n")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), probeTimeout)
		defer cancel()
		if err := ready(ctx); err != nil {
			http.Error(w, "not ready: "+err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, "ready\n")
	})
	mux.Handle("GET /metrics", metrics)
	h := &health{
		server: &http.Server{
			Handler:           mux,
			ReadHeaderTimeout: 5 * time.Second,
			ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
		},
		done: make(chan error, 1),
	}
	go func() { h.done <- h.server.Serve(listener) }()
	return h
}

// stop answers what is under way and ends the server.
func (h *health) stop(ctx context.Context) error {
	if err := h.server.Shutdown(ctx); err != nil {
		return fmt.Errorf("stop the health server: %w", errors.Join(err, h.server.Close()))
	}
	if err := <-h.done; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve health: %w", err)
	}
	return nil
}

// askReadyTimeout is how long -ready waits for an answer.
const askReadyTimeout = 3 * time.Second

// askReady asks a running worker's /readyz. It lets a container without a shell
// check its own health.
func askReady(ctx context.Context, address string) error {
	url := "http://" + reachable(address) + "/readyz"
	ctx, cancel := context.WithTimeout(ctx, askReadyTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("ask %s: %w", url, err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("ask the worker: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		why, _ := io.ReadAll(io.LimitReader(response.Body, 4<<10))
		return fmt.Errorf("%s answers %s: %s", url, response.Status, why)
	}
	return nil
}

// reachable turns an address to listen on into one to connect to. It names no
// localhost, which an image without /etc/hosts can't look up.
func reachable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return address
}
