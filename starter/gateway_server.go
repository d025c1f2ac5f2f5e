package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/modelvigil/modelvigil/gateway"
	"github.com/modelvigil/modelvigil/internal/health"
)

const (
	headerTimeout = 5 * time.Second
	// bodyTimeout bounds how long a request takes to come in.
	bodyTimeout = time.Minute
	idleTimeout = 2 * time.Minute
	maxHeader   = 64 << 10
)

// gatewayServers are the two of a gateway: for events, and for who watches it.
type gatewayServers struct {
	servers []*http.Server
	address string     // of events
	failed  chan error // why one has ended by itself
}

// startGateway listens and serves until stop. handler is the gateway, or what is in
// front of it.
func startGateway(g *gateway.Gateway, handler http.Handler, metrics prometheus.Gatherer, c configuration, s gatewaySettings) (*gatewayServers, error) {
	var security *tls.Config
	if s.TLSCertFile != "" {
		var err error
		security, err = gateway.WatchTLS(s.TLSCertFile, s.TLSKeyFile, s.TLSClientCAFile, c.log)
		if err != nil {
			return nil, fmt.Errorf("GATEWAY_TLS_*: %w", err)
		}
	}

	events, err := net.Listen("tcp", string(s.Address))
	if err != nil {
		return nil, fmt.Errorf("listen on GATEWAY_ADDRESS %s: %w; free it or choose another", s.Address, err)
	}
	watched, err := net.Listen("tcp", string(s.HealthAddress))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen on GATEWAY_HEALTH_ADDRESS %s: %w; free it or choose another", s.HealthAddress, err), events.Close())
	}

	all := &gatewayServers{failed: make(chan error, 2), address: events.Addr().String()}
	all.serve(events, &http.Server{
		Handler: handler, TLSConfig: security, ReadTimeout: bodyTimeout, IdleTimeout: idleTimeout,
		WriteTimeout: bodyTimeout + time.Duration(s.DurableTimeout) + closeTimeout,
	}, c.log)
	all.serve(watched, &http.Server{Handler: healthOf(g.Ready, metrics)}, c.log) //nolint:gosec // serve sets the header's timeout
	c.log.Info("gateway listens", "address", all.address, "tls", security != nil, "tokens", s.TokensFile != "",
		"client_certificates", s.TLSClientCAFile != "", "health", watched.Addr().String())
	if s.TokensFile != "" && security == nil && !s.Address.IsLoopback() {
		c.log.Warn("tokens cross the network in the clear; set GATEWAY_TLS_CERT_FILE, or let a proxy in front speak TLS")
	}
	return all, nil
}

func (all *gatewayServers) serve(listener net.Listener, server *http.Server, log *slog.Logger) {
	server.ReadHeaderTimeout = headerTimeout
	server.MaxHeaderBytes = maxHeader
	server.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelDebug) // of clients that come and go
	all.servers = append(all.servers, server)
	go func() {
		var err error
		if server.TLSConfig != nil {
			err = server.ServeTLS(listener, "", "")
		} else {
			err = server.Serve(listener)
		}
		if !errors.Is(err, http.ErrServerClosed) {
			all.failed <- fmt.Errorf("serve %s: %w", listener.Addr(), err)
		}
	}()
}

// stop answers what is under way and ends the servers.
func (all *gatewayServers) stop(ctx context.Context) error {
	var faults []error
	for _, server := range all.servers {
		if err := server.Shutdown(ctx); err != nil {
			faults = append(faults, fmt.Errorf("stop serving: %w", err), server.Close())
		}
	}
	return errors.Join(faults...)
}

// healthOf serves who watches the process; ready is quick.
func healthOf(ready func() error, metrics prometheus.Gatherer) http.Handler {
	return health.Handler(func(context.Context) error { return ready() }, promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
}
