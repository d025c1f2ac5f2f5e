// Package health answers whoever watches a process: orchestrators and Prometheus.
package health

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

const (
	// probeTimeout bounds one answer of /readyz, below the second or more that
	// orchestrators wait for a probe.
	probeTimeout  = 900 * time.Millisecond
	headerTimeout = 5 * time.Second
)

// Handler serves /healthz (the process lives), /readyz (it does its work, or 503 and
// why not) and /metrics.
func Handler(ready func(context.Context) error, metrics http.Handler) http.Handler {
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
	return mux
}

// Server serves a Handler.
type Server struct {
	server *http.Server
	done   chan error
}

// Start serves on a listener until Stop.
func Start(listener net.Listener, handler http.Handler, logger *slog.Logger) *Server {
	s := &Server{
		server: &http.Server{
			Handler:           handler,
			ReadHeaderTimeout: headerTimeout,
			ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
		},
		done: make(chan error, 1),
	}
	go func() { s.done <- s.server.Serve(listener) }()
	return s
}

// Stop answers what is under way and ends the server. It returns an error where the
// server has ended by itself, or where ctx ends before it has.
func (s *Server) Stop(ctx context.Context) error {
	if err := s.server.Shutdown(ctx); err != nil {
		return fmt.Errorf("stop the health server: %w", errors.Join(err, s.server.Close()))
	}
	if err := <-s.done; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve health: %w", err)
	}
	return nil
}
