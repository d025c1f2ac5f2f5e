package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/caarlos0/env/v10"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/cobra"

	"github.com/modelvigil/modelvigil/gateway/scrape"
	"github.com/modelvigil/modelvigil/hub"
	"github.com/modelvigil/modelvigil/internal/health"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/internal/setting"
)

// scrapeSettings are what `modelvigil scrape` reads from its environment besides.
type scrapeSettings struct {
	HealthAddress setting.HostPort `env:"SCRAPE_HEALTH_ADDRESS" envDefault:"127.0.0.1:9466" meaning:"host:port of /healthz, /readyz and /metrics (Prometheus)"`
}

func newScrapeCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "scrape FILE",
		Short: "Publish what Prometheus queries give",
		Long: `Publish what Prometheus queries give, for models that export metrics already. The
file says where Prometheus is, how often it is asked, and what each query's samples are
readings of; docs/feeding.md shows one. It runs until SIGTERM. A sample is published
once, at its own time; NaN and samples without a model are skipped, counted and told.
A Prometheus that is away is tried again.

--check looks at the file, asks each query once and prints the events that would be
published, one to a line; it needs no Temporal server. --once publishes one round, for
cron; without a state_file each call publishes anew what Prometheus answers.`,
		Example: `  modelvigil scrape --check models.yaml
  modelvigil scrape models.yaml
  modelvigil scrape --once models.yaml`,
		Args: cobra.ExactArgs(1),
	}
	timeout := timeoutFlag(command)
	once := command.Flags().Bool("once", false, "publish one round and end")
	check := command.Flags().Bool("check", false, "publish nothing, and print what would be")
	enrolment := enrolFlag(command)
	command.MarkFlagsMutuallyExclusive("once", "check")
	command.RunE = func(command *cobra.Command, args []string) error {
		file, err := scrape.ReadFile(args[0])
		if err != nil {
			return err
		}
		c, err := configure(command.ErrOrStderr())
		if err != nil {
			return err
		}

		scraper, err := scrape.New(file, c.log)
		if err != nil {
			return fmt.Errorf("%s: %w", args[0], err)
		}
		if *check {
			return scraper.Check(command.Context(), command.OutOrStdout(), command.ErrOrStderr(), time.Now())
		}

		s, err := connect(command, *timeout)
		if err != nil {
			return err
		}

		defer s.Close()
		h := hub.New(s.Client, hub.Options{TaskQueue: string(c.settings.TaskQueue), Logger: c.log, Enrolment: *enrolment})
		if *once {
			err = scrapeOnce(command, scraper, h, *timeout)
		} else {
			err = scrapeOn(command.Context(), c, scraper, h, file)
		}

		closing, cancel := context.WithTimeout(context.WithoutCancel(command.Context()), *timeout)
		defer cancel()
		return errors.Join(err, h.Close(closing))
	}

	return command
}

func scrapeOnce(command *cobra.Command, scraper *scrape.Scraper, h *hub.Hub, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(command.Context(), timeout)
	defer cancel()
	published, err := scraper.Once(ctx, h.NewReceipt(), time.Now())
	_, outErr := fmt.Fprintf(command.OutOrStdout(), "published %s\n", plain.Count(int64(published), "event"))
	return errors.Join(err, outErr)
}

// scrapeOn goes on until ctx ends.
func scrapeOn(ctx context.Context, c configuration, scraper *scrape.Scraper, h *hub.Hub, file scrape.File) error {
	s, err := setting.Parse[scrapeSettings](env.ToMap(os.Environ()))
	if err != nil {
		return &usageError{err: fmt.Errorf("%w\nthe environment has wrong settings, named above; modelvigil -h lists them", err), ofSettings: true}
	}

	registry := prometheus.NewRegistry()
	registry.MustRegister(h.Collector(), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	registry.MustRegister(scraper.Collectors()...)
	listener, err := net.Listen("tcp", string(s.HealthAddress))
	if err != nil {
		return fmt.Errorf("listen on SCRAPE_HEALTH_ADDRESS %s: %w; free it or choose another", s.HealthAddress, err)
	}

	watched := health.Start(listener, healthOf(func() error { return nil }, registry), c.log)
	c.log.Info("scraping", "prometheus", file.Prometheus.Address, "queries", len(file.Queries), "interval", file.Interval.String(), "health", listener.Addr().String())

	scraper.Run(ctx, func() scrape.Hub { return h.NewReceipt() })
	c.log.Info("scraping stops")
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	return watched.Stop(closing)
}
