// Command capacity holds monitors against a workflow that does nothing but count its
// signals, in one run and turn by turn, so that what else the machine does falls on both:
// what a start costs, how many reports of healthy models a server and its workers take,
// and how much memory a worker needs. It wants bin/modelvigil-worker (make build), and
// runs, from the repository's root, beside a server of its own:
//
//	tools/with-server.sh go run ./e2e/capacity -starts 10000
//	tools/with-server.sh go run ./e2e/capacity -models 300 -every 1s
//	tools/with-server.sh go run ./e2e/capacity -starts 10000 -rate 10
//
// The first starts as many monitors by their first event. The second has more models
// report every second than the machine can take, which shows how many it can; the third
// has models report in turn, ten a second of all that there are, which shows what a
// report costs beside so many others.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"

	"github.com/modelvigil/modelvigil/internal/setting"
)

// options are what is measured.
type options struct {
	starts  int           // monitors by the default policy, started by their first event
	clients int           // that start them at once
	models  int           // that report, watched by a policy of their own
	every   time.Duration // its report_every
	rate    float64       // reports a second of all models in turn; 0: each model every every
	rounds  int           // of reporting, of each kind
	round   time.Duration // how long one lasts
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == counterArgument {
		exit(count(os.Args[2]))
	}

	var o options
	flag.IntVar(&o.starts, "starts", 0, "monitors to start by their first event, as many of each kind")
	flag.IntVar(&o.clients, "clients", 16, "clients that start them")
	flag.IntVar(&o.models, "models", 0, "models that report, of each kind; 0: those that were started")
	flag.DurationVar(&o.every, "every", time.Second, "report_every of the policy of -models")
	flag.Float64Var(&o.rate, "rate", 0, "reports a second, of the models in turn; 0: all that report_every allows")
	flag.IntVar(&o.rounds, "rounds", 3, "rounds of reporting, of each kind")
	flag.DurationVar(&o.round, "round", 20*time.Second, "how long a round lasts")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := measure(ctx, o)
	stop()
	exit(err)
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "capacity:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// dial connects to the server of the environment.
func dial() (client.Client, error) {
	temporal, err := setting.ParseTemporal(environment())
	if err != nil {
		return nil, err
	}
	temporal.Logger = log.NewStructuredLogger(slog.New(slog.DiscardHandler))
	return client.Dial(temporal)
}

// measure measures all that was asked for.
func measure(ctx context.Context, o options) error {
	c, err := dial()
	if err != nil {
		return err
	}
	defer c.Close()

	monitors, err := newKind(ctx, c, "monitor", "bin/modelvigil-worker")
	if err != nil {
		return err
	}
	defer monitors.end()

	self, err := os.Executable()
	if err != nil {
		return err
	}
	counters, err := newKind(ctx, c, "counter", self, counterArgument)
	if err != nil {
		return err
	}
	defer counters.end()

	kinds := []*kind{monitors, counters}
	if err := start(ctx, kinds, o); err != nil {
		return err
	}
	if o.models > 0 {
		if err := enrol(ctx, kinds, o); err != nil {
			return err
		}
	}
	if o.models > 0 || o.rate > 0 {
		return report(ctx, kinds, o)
	}
	return nil
}
