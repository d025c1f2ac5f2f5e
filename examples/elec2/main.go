// Command elec2 measures how well policies decide when to retrain: on the
// Electricity Market stream with three learners, and on the SEA generator. What
// it measures, and what came of it, is told in its README.md.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

func main() {
	data := flag.String("data", os.Getenv("ELEC2_DATA"), "the CSV of ELEC2, gzip or not; default: the environment's ELEC2_DATA")
	plots := flag.String("plots", "", "a folder to write plots to, as SVG; default: none are written")
	sea := flag.Bool("sea", true, "run SEA too")
	flag.Parse()
	err := run(os.Stdout, *data, *plots, *sea)
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "elec2:", err)
		os.Exit(1)
	}
}

func run(out io.Writer, data, plots string, sea bool) error {
	stream, err := ReadStream(data)
	if err != nil {
		return err
	}
	learners, err := Learners(stream)
	if err != nil {
		return err
	}

	var studies []*Study
	for _, learner := range learners {
		study, err := NewStudy(learner)
		if err != nil {
			return err
		}
		studies = append(studies, study)
		if err := study.Print(out); err != nil {
			return err
		}
	}

	if err := PrintGoals(out, studies); err != nil {
		return err
	}
	if plots != "" {
		if err := os.MkdirAll(plots, 0o755); err != nil {
			return err
		}

		var faults []error
		for i, name := range []string{"tree", "logistic", "logistic-standardised"} {
			faults = append(faults,
				studies[i].PlotTime(filepath.Join(plots, name+"-time.svg")),
				studies[i].PlotCost(filepath.Join(plots, name+"-cost.svg")))
		}

		if err := errors.Join(faults...); err != nil {
			return err
		}
	}

	if !sea {
		return nil
	}

	_, err = PrintSEA(out, fullSEA)
	return err
}
