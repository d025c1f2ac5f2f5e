// Command chaos kills, freezes and cuts off everything that modelvigil consists
// of, by a schedule that a seed decides, under load, and then checks what must
// hold: that nothing acknowledged is lost or counted twice, and that each cooldown
// had exactly one retraining. CONTRIBUTING.md tells more.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
)

// publisherVariable makes this program a publisher: its mark, how many models,
// how many events of each in a tick, and by how many hours its clock is slow.
const publisherVariable = "MODELVIGIL_CHAOS_PUBLISHER"

func main() {
	if of := os.Getenv(publisherVariable); of != "" {
		var mark string
		var models, perTick, slow int
		_, err := fmt.Sscan(of, &mark, &models, &perTick, &slow)
		if err == nil {
			err = publish(mark, models, perTick, time.Duration(slow)*time.Hour)
		}
		exitOn(err)
		return
	}

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	exitOn(series(ctx, os.Args[1:]))
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
}

// series runs one seed after the other.
func series(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("chaos", flag.ExitOnError)
	var o options
	flags.StringVar(&o.bin, "bin", "bin", "`folder` of the programs modelvigil and modelvigil-worker")
	flags.StringVar(&o.temporal, "temporal", os.Getenv("MODELVIGIL_TEMPORAL"), "`path` of the Temporal CLI; default MODELVIGIL_TEMPORAL, or the one on PATH")
	flags.IntVar(&o.models, "models", 50, "models published to")
	flags.IntVar(&o.rate, "rate", 100_000, "events a second, over all models")
	flags.DurationVar(&o.cooldown, "cooldown", 10*time.Second, "of each model")
	flags.BoolVar(&o.keep, "keep", false, "keep logs and the server's database of good runs too")
	seed := flags.Uint64("seed", 1, "of the first run's schedule")
	seeds := flags.Int("seeds", 1, "how many runs, of a seed each")
	minutes := flags.Float64("minutes", 3, "of faults in each run")
	shrink := flags.Int("shrink", 5, "how many runs to spend on the shortest failing prefix")
	quiet := flags.Bool("quiet", false, "don't tell of each fault")
	_ = flags.Parse(args)
	o.progress = func(format string, args ...any) {
		if !*quiet {
			fmt.Printf(format+"\n", args...)
		}
	}

	if o.temporal == "" {
		var err error
		o.temporal, err = exec.LookPath("temporal")
		if err != nil {
			return fmt.Errorf("no temporal CLI: set MODELVIGIL_TEMPORAL to its path, or run `make chaos`, which builds it: %w", err)
		}
	}

	if o.models < 1 || o.models > 100 || o.rate < 1 || *minutes <= 0 || o.cooldown < 5*time.Second {
		return errors.New("wrong flags: models must be 1 to 100, rate above 0, minutes above 0, cooldown 5s at least")
	}

	length := time.Duration(*minutes * float64(time.Minute))
	failed := 0
	for n := range uint64(*seeds) {
		seed := *seed + n
		faults := schedule(seed, length)
		r, err := run(ctx, o, seed, faults, length)
		if err != nil {
			return fmt.Errorf("seed %d: %w", seed, err)
		}

		r.print(seed)
		if len(r.violations) > 0 {
			failed++
			if *shrink <= 0 {
				continue
			}
			if err := o.shortest(ctx, seed, faults, length, *shrink); err != nil {
				return err
			}
		}
	}

	if failed > 0 {
		return fmt.Errorf("%d of %d runs violated an invariant", failed, *seeds)
	}

	return nil
}

func (r result) print(seed uint64) {
	fmt.Printf("seed %d: %d violations in %v; %d events acknowledged, %d counted; %d retrainings; %d histories replayed; ends of runs held back %d times, and %d signals of a stray sender refused for it; %s\n",
		seed, len(r.violations), r.took.Round(time.Second), r.acked, r.counted, r.retrainings, r.histories, r.held, r.refused, dealt(r.faults))
	for _, violation := range r.violations {
		fmt.Println("  violation:", violation)
	}
}

// shortest looks for the shortest prefix of a failing schedule that fails too, by
// halving, and prints it. Chance has its part in each run, so it may be shorter still.
func (o options) shortest(ctx context.Context, seed uint64, faults []fault, length time.Duration, runs int) error {
	fails := len(faults)
	for holds := 0; runs > 0 && fails-holds > 1; runs-- {
		middle := (holds + fails) / 2
		last := faults[middle-1]
		r, err := run(ctx, o, seed, faults[:middle], min(length, last.At+last.For+time.Second))
		if err != nil {
			return err
		}

		if len(r.violations) > 0 {
			fails = middle
		} else {
			holds = middle
		}
	}

	fmt.Printf("seed %d: the shortest failing prefix found has %d of %d faults:\n", seed, fails, len(faults))
	for _, f := range faults[:fails] {
		fmt.Println(" ", f)
	}
	return nil
}
