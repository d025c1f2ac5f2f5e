// Command worker runs the monitors and their calls to ModelOps backends, until
// it is told to stop. `modelvigil-worker -h` lists its settings.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
	_ "time/tzdata" // blackouts are in zones, and not every image has them

	"github.com/caarlos0/env/v10"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"

	"github.com/modelvigil/modelvigil/activities"
	"github.com/modelvigil/modelvigil/activities/backends"
	"github.com/modelvigil/modelvigil/activities/notify"
	"github.com/modelvigil/modelvigil/hub/encryption"
	"github.com/modelvigil/modelvigil/internal/health"
	"github.com/modelvigil/modelvigil/internal/release"
	"github.com/modelvigil/modelvigil/internal/setting"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/workflows"
	"github.com/modelvigil/modelvigil/workflows/telemetry"
)

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2 // wrong arguments or settings
)

// gcPercent is how much garbage is made, in parts of what is held, before it is collected.
// Nearly all that a worker holds are monitors at rest, and it makes little garbage: twice
// as many collections cost a hundredth of a core, and save a fifth of the memory.
const gcPercent = 50

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], env.ToMap(os.Environ()), os.Stdout, os.Stderr))
}

// run is main with everything from outside handed in; it returns the exit code.
func run(ctx context.Context, args []string, environment map[string]string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("modelvigil-worker", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {}
	ready := flags.Bool("ready", false, "")
	version := flags.Bool("version", false, "")
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		printUsage(stdout)
		return exitDone
	case err == nil && flags.NArg() > 0:
		_, _ = fmt.Fprintf(stderr, "unknown argument %q\n", flags.Arg(0))
		fallthrough
	case err != nil:
		_, _ = fmt.Fprintln(stderr, "modelvigil-worker takes its settings from the environment; modelvigil-worker -h lists them")
		return exitUsage
	case *version:
		_, _ = fmt.Fprintln(stdout, release.Line("modelvigil-worker"))
		return exitDone
	}

	c, err := configure(environment, stderr)
	if err != nil {
		faults := strings.Split(err.Error(), "\n")
		_, _ = fmt.Fprintf(stderr, "modelvigil-worker: wrong settings:\n  %s\nmodelvigil-worker -h lists the settings\n", strings.Join(faults, "\n  "))
		return exitUsage
	}
	if *ready {
		err = askReady(ctx, string(c.settings.ListenAddress))
	} else {
		err = serve(ctx, c)
	}

	if err != nil {
		_, _ = fmt.Fprintln(stderr, "modelvigil-worker:", err)
		return exitFailed
	}

	return exitDone
}

// configuration is everything that the environment decides.
type configuration struct {
	settings settings
	temporal client.Options
	backends map[string]modelops.ModelOps
	notices  activities.Notices
	traces   *telemetry.Traces // nil: nobody asked for them
	log      *slog.Logger
}

// configure reads the environment, and names every fault of it.
func configure(environment map[string]string, logs io.Writer) (configuration, error) {
	settings, settingsErr := parseSettings(environment)
	logger := setting.NewLogger(settings.LogLevel, settings.LogFormat, logs)
	temporal, temporalErr := setting.ParseTemporal(environment)
	temporal.Logger = log.NewStructuredLogger(logger)
	pipelines := temporal
	keysErr := encrypt(settings, &temporal, &pipelines)
	traces, tracesErr := telemetry.NewTraces(context.Background(), "modelvigil-worker", environment, logger)
	temporal.Interceptors = append(temporal.Interceptors, traces.Client()...)
	pipelines.Interceptors = append(pipelines.Interceptors, traces.Client()...)
	opened, backendsErr := settings.Backends.Open(backends.Process{Environment: environment, Temporal: pipelines, Logger: logger})
	notices, noticesErr := settings.Notifications.Open(notify.Process{
		Environment: environment, Namespace: cmp.Or(temporal.Namespace, client.DefaultNamespace),
		FleetID: workflows.FleetID(string(settings.TaskQueue)), Logger: logger,
	})
	return configuration{settings: settings, temporal: temporal, backends: opened, notices: notices, traces: traces, log: logger},
		errors.Join(settingsErr, backendsErr, noticesErr, temporalErr, tracesErr, keysErr)
}

// encrypt makes the monitors' client encrypt, if there are keys, and that of the
// pipelines of other workflows.
func encrypt(s settings, monitors, pipelines *client.Options) error {
	codec, err := encryption.Open(s.EncryptionKeys)
	switch {
	case err != nil:
		return fmt.Errorf("ENCRYPTION_KEYS_FILE: %w", err)
	case codec == nil && bool(s.MustEncrypt):
		return errors.New("ENCRYPTION_REQUIRED: needs ENCRYPTION_KEYS_FILE")
	case codec == nil:
		return nil
	case bool(s.MustEncrypt):
		codec = codec.Require()
	}

	codec.ApplyLoose(pipelines)
	codec.Apply(monitors)
	return nil
}

// closeTimeout bounds what is still to be answered and closed at the end.
const closeTimeout = 5 * time.Second

// serve is the worker's life. It answers on LISTEN_ADDRESS from before the first
// connection until after the last task is done.
func serve(ctx context.Context, c configuration) error {
	listener, err := net.Listen("tcp", string(c.settings.ListenAddress))
	if err != nil {
		return fmt.Errorf("listen on LISTEN_ADDRESS %s: %w; free it or choose another", c.settings.ListenAddress, err)
	}
	m, err := telemetry.NewMetrics(c.log)
	if err != nil {
		_ = listener.Close()
		return fmt.Errorf("set up metrics: %w", err)
	}

	c.temporal.MetricsHandler = m.Temporal
	state := newReadiness()
	watched := health.Start(listener, health.Handler(state.check, m.Handler()), c.log)
	c.log.Info("worker listens", "address", listener.Addr().String(), "paths", "/healthz /readyz /metrics")

	p := newPool(c, state, m.Registry)
	p.run(ctx)

	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	err = errors.Join(watched.Stop(closing), m.Close(closing), c.traces.Close(closing))
	c.log.Info("worker has stopped")
	return err
}
