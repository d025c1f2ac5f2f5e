// Command budgets measures how well policies spend a budget of retrainings, on a
// public benchmark's streams and beside its schedules. What it measures, and what
// came of it, is told in its README.md.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

const (
	chosenOn = 20 // concepts that the policy is chosen on
	streams  = 5  // of each of the benchmark's concepts, which draws one: what is measured is surer
)

func main() {
	table := flag.String("published", os.Getenv("BUDGETS_PUBLISHED"), "a CSV of the published results; default: the environment's BUDGETS_PUBLISHED")
	flag.Parse()
	err := run(os.Stdout, *table)
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "budgets:", err)
		os.Exit(1)
	}
}

func run(out io.Writer, table string) error {
	concepts, err := Published()
	if err != nil {
		return err
	}

	published, err := ReadPublished(table)
	switch {
	case errors.Is(err, errNoTable):
		_, _ = fmt.Fprintf(out, "%v; what was published is left out\n\n", err)
	case err != nil:
		return err
	default:
		if err := PrintReproduction(out, Reproduce(concepts, streams, published)); err != nil {
			return err
		}
	}

	chosen, err := Choose(Others(chosenOn), Cells(latencies[0]))
	if err != nil {
		return err
	}

	_, _ = fmt.Fprintf(out, "%s, chosen on %d other seeds at the lowest latency:%s\n\n", policyName, chosenOn, chosen.Values)
	for _, latency := range latencies {
		if err := PrintComparison(out, Compare(concepts, streams, Cells(latency), chosen.Policy), published); err != nil {
			return err
		}
	}
	return nil
}
