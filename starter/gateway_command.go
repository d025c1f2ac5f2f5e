package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/caarlos0/env/v10"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/cobra"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/modelvigil/modelvigil/gateway"
	"github.com/modelvigil/modelvigil/gateway/otlp"
	"github.com/modelvigil/modelvigil/hub"
	"github.com/modelvigil/modelvigil/internal/plain"
)

// gatewayRoutes are the ways in besides /v1/events.
func gatewayRoutes(mapping otlp.Mapping, log *slog.Logger) []gateway.Route {
	return []gateway.Route{{
		Path: "/v1/metrics", Refuse: otlp.Refuse,
		New: func(publisher gateway.Publisher) http.Handler { return otlp.New(publisher, mapping, log) },
	}}
}

func newGatewayCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "gateway",
		Short: "Take metric events over HTTP, from any language",
		Long: `Take metric events over HTTP, from any language, until SIGTERM: POST /v1/events takes
JSON, NDJSON and CloudEvents, gzipped or not. It answers 202 once events are accepted,
and with ?durable=true 200 once they are durable. POST /v1/metrics takes OpenTelemetry's
metrics (OTLP/HTTP). Without GATEWAY_TOKENS_FILE and GATEWAY_TLS_CLIENT_CA_FILE it
listens on loopback only. GET /v1/openapi.json describes it to programs, docs/gateway.md
to people.

At SIGTERM it takes no more, makes durable what it has, and ends with exit code 0; with
1 where that could not be done within GATEWAY_STOP_TIMEOUT.`,
		Example: `  modelvigil gateway
  curl http://127.0.0.1:8080/v1/events --json '{"model_name": "fraud", "model_version": "v7", "accuracy": 0.83}'`,
		Args: noArguments,
	}
	enrolment := enrolFlag(command)
	command.RunE = func(command *cobra.Command, _ []string) error {
		c, err := configure(command.ErrOrStderr())
		s, gatewayErr := parseGatewaySettings(env.ToMap(os.Environ()))
		if gatewayErr != nil {
			gatewayErr = &usageError{err: fmt.Errorf("%w\nthe environment has wrong settings, named above; modelvigil -h lists them", gatewayErr), ofSettings: true}
		}
		if err := errors.Join(err, gatewayErr); err != nil {
			return err
		}

		return serveGateway(command.Context(), c, s, *enrolment)
	}

	return command
}

// serveGateway is the gateway's life. It answers from before the first connection
// to Temporal until all that it took is durable.
func serveGateway(ctx context.Context, c configuration, s gatewaySettings, enrolment hub.Enrolment) (err error) {
	options, err := s.options(c)
	if err != nil {
		return err
	}

	g := gateway.New(options)
	registry := prometheus.NewRegistry()
	registry.MustRegister(g.Collector(), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	servers, err := startGateway(g, tracedRequests(ctx, g), registry, c, s)
	if err != nil {
		return err
	}

	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		err = errors.Join(err, servers.stop(closing))
		c.log.Info("gateway has stopped")
	}()

	temporal, err := awaitTemporal(ctx, c, servers.failed)
	if temporal == nil { // nothing was taken yet
		return err
	}

	defer temporal.Close()
	h := hub.New(temporal, hub.Options{
		TaskQueue: string(c.settings.TaskQueue), Logger: c.log, Enrolment: enrolment, Budget: float64(s.SignalRate),
	})
	registry.MustRegister(h.Collector())
	g.Open(h)
	c.log.Info("gateway is ready", "address", servers.address, "task_queue", string(c.settings.TaskQueue))
	select {
	case <-ctx.Done():
	case err = <-servers.failed:
	}

	c.log.Info("gateway stops; what it took is made durable", "timeout", time.Duration(s.StopTimeout).String())
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Duration(s.StopTimeout))
	defer cancel()
	if shutErr := g.Shut(stopping); shutErr != nil {
		c.log.Warn("requests are cut off", "error", shutErr)
	}
	closeErr := h.Close(stopping) // which also tells of what monitors have refused for good; that was logged
	if left := h.Backlog().Events; left > 0 {
		err = errors.Join(err, fmt.Errorf("%s lost that were accepted: the server did not take them within GATEWAY_STOP_TIMEOUT %v: %w",
			plain.CountIs(int(left), "event"), time.Duration(s.StopTimeout), closeErr))
	}

	return err
}

const (
	// Pauses between attempts to reach a Temporal server that is away.
	firstPause   = time.Second
	longestPause = 10 * time.Second
	// closeTimeout bounds what is still to be answered at the end.
	closeTimeout = 5 * time.Second
)

// awaitTemporal connects; a server that is away, or a namespace that is not there
// yet, is waited for. It returns nil when ctx ends or a server has failed.
func awaitTemporal(ctx context.Context, c configuration, failed <-chan error) (client.Client, error) {
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		temporal, err := dialNamespace(ctx, c)
		if err == nil {
			return temporal, nil
		}
		if ctx.Err() != nil {
			return nil, nil
		}

		c.log.Warn("no events are taken before Temporal is reached; trying again", "pause", pause.String(), "error", err)
		select {
		case <-ctx.Done():
			return nil, nil
		case err := <-failed:
			return nil, err
		case <-time.After(pause):
		}
	}
}

// dialNamespace connects and looks for the namespace: to a hub, one that is not
// there is a final answer.
func dialNamespace(ctx context.Context, c configuration) (client.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, defaultTimeout)
	defer cancel()
	address, namespace := cmp.Or(c.temporal.HostPort, client.DefaultHostPort), cmp.Or(c.temporal.Namespace, client.DefaultNamespace)
	c.temporal.Interceptors = append(tracesOf(ctx).Client(), c.temporal.Interceptors...)
	temporal, err := client.DialContext(ctx, c.temporal)
	if err != nil {
		return nil, fmt.Errorf("connect to Temporal at %s: %w", address, err)
	}
	_, err = temporal.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: namespace})
	if err != nil {
		temporal.Close()
		return nil, fmt.Errorf("look for namespace %q at %s: %w", namespace, address, err)
	}

	return temporal, nil
}
