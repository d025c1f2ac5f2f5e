package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/converter"

	"github.com/modelvigil/modelvigil/hub/encryption"
	"github.com/modelvigil/modelvigil/internal/plain"
)

const (
	// maxCodecBytes bounds a request: a payload has 2 MiB at most, and a page of a
	// history some of them.
	maxCodecBytes = 8 << 20
	// maxCodecRequests are worked on at a time; each takes some 15 times its size.
	maxCodecRequests = 2
)

func newCodecCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "codec",
		Short: "Decrypt payloads for the Temporal UI and CLI",
		Long: `Decrypt payloads for the Temporal UI and CLI, with the keys of ENCRYPTION_KEYS_FILE: a
codec server, as Temporal calls it. Give its address to the UI (the glasses at the top, or
TEMPORAL_CODEC_ENDPOINT of the UI's server) and to the CLI (--codec-endpoint).

Whoever reaches it reads everything, and so it listens on loopback: each operator runs
their own, or a proxy in front of it knows who may. Browsers are answered for the given
origins only.`,
		Example: `  ENCRYPTION_KEYS_FILE=keys modelvigil codec --origin http://localhost:8233
  temporal workflow show --workflow-id model-monitor/fraud --codec-endpoint http://localhost:8081`,
		Args: noArguments,
	}
	listen := command.Flags().String("listen", "127.0.0.1:8081", "`host:port` to listen on")
	origins := command.Flags().StringSlice("origin", []string{"http://localhost:8233"}, "`URLs` of the Temporal UIs that may ask")
	command.RunE = func(command *cobra.Command, _ []string) error {
		c, err := configure(command.ErrOrStderr())
		if err != nil {
			return err
		}

		codec, err := encryption.Open(c.settings.EncryptionKeys)
		if err == nil && codec == nil {
			err = &usageError{err: errors.New("ENCRYPTION_KEYS_FILE is not set: there is nothing to decrypt with"), ofSettings: true}
		}
		if err != nil {
			return err
		}

		for _, origin := range *origins {
			if !strings.HasPrefix(origin, "http://") && !strings.HasPrefix(origin, "https://") || strings.HasSuffix(origin, "/") {
				return wrongUsage(fmt.Errorf("flag --origin: must be a URL without a path such as http://localhost:8233, got %q", origin))
			}
		}

		return serveCodec(command.Context(), c.log, *listen, codecHandler(codec, *origins))
	}

	return command
}

// codecHandler answers POST …/decode and …/encode. Pages of other origins get nothing.
func codecHandler(codec converter.PayloadCodec, origins []string) http.Handler {
	remote := converter.NewPayloadCodecHTTPHandler(codec)
	places := make(chan struct{}, maxCodecRequests)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if origin := r.Header.Get("Origin"); origin != "" {
			if !slices.Contains(origins, origin) {
				http.Error(w, fmt.Sprintf("origin %s may not ask; modelvigil codec --origin %[1]s allows it", plain.Text(origin)), http.StatusForbidden)
				return
			}
			w.Header().Set("Access-Control-Allow-Origin", origin)
			w.Header().Set("Access-Control-Allow-Methods", "POST, OPTIONS")
			w.Header().Set("Access-Control-Allow-Headers", "Content-Type, X-Namespace, Authorization")
			w.Header().Set("Vary", "Origin")
		}

		if r.Method == http.MethodOptions {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxCodecBytes)) // nobody keeps a place by sending slowly
		if err != nil {
			http.Error(w, fmt.Sprintf("read the body, of at most %d bytes: %v", maxCodecBytes, err), http.StatusRequestEntityTooLarge)
			return
		}

		select {
		case places <- struct{}{}:
			defer func() { <-places }()
		case <-r.Context().Done():
			return
		}

		r.Body = io.NopCloser(bytes.NewReader(body))
		remote.ServeHTTP(w, r)
	})
}

func serveCodec(ctx context.Context, log *slog.Logger, address string, handler http.Handler) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return wrongUsage(fmt.Errorf("flag --listen %s: %w; free it or choose another", address, err))
	}

	if tcp, ok := listener.Addr().(*net.TCPAddr); ok && !tcp.IP.IsLoopback() {
		log.Warn("whoever reaches this address reads everything; let a proxy in front say who may", "address", listener.Addr().String())
	}
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: headerTimeout, ReadTimeout: bodyTimeout, WriteTimeout: bodyTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	log.Info("codec server listens", "address", listener.Addr().String())
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve %s: %w", listener.Addr(), err)
	case <-ctx.Done():
	}

	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	return server.Shutdown(closing)
}
