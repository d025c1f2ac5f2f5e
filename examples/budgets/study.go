package main

import (
	"fmt"
	"io"
	"math"
	"text/tabwriter"

	"github.com/modelvigil/modelvigil/policy"
)

// latencies are the benchmark's: of training and of deployment, in samples.
var latencies = [][2]int{{10, 1}, {100, 5}, {500, 20}}

// Cells are those of a latency.
func Cells(latency [2]int) (cells []Cell) {
	for _, kind := range kinds {
		for _, budget := range []int{5, 10, 20} {
			cells = append(cells, Cell{kind, budget, latency[0], latency[1]})
		}
	}
	return cells
}

// tolerance is how far a calendar run again may be from the published one.
const tolerance = 0.015

// Reproduction is the published calendar of a cell, run again.
type Reproduction struct {
	Cell
	Published, Again float64
}

// Reproduce runs the calendar again in all cells.
func Reproduce(concepts []Concepts, streams int, published Results) (all []Reproduction) {
	for _, latency := range latencies {
		for _, cell := range Cells(latency) {
			again := RunAll(concepts, streams, cell, Calendar)
			all = append(all, Reproduction{cell, published["periodic"][cell], again.Accuracy()})
		}
	}
	return all
}

// PrintReproduction prints it, and how many cells are within the tolerance.
func PrintReproduction(out io.Writer, all []Reproduction) error {
	rows := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(rows, "drift\tbudget\tlatency\tpublished\tagain\tapart")
	within, widest := 0, 0.0
	for _, r := range all {
		apart := math.Abs(r.Again - r.Published)
		widest = max(widest, apart)
		if apart <= tolerance {
			within++
		}
		_, _ = fmt.Fprintf(rows, "%s\t%d\t%d+%d\t%.4f\t%.4f\t%.4f\n", r.Drift, r.Budget, r.Training, r.Deploy, r.Published, r.Again, apart)
	}

	_, _ = fmt.Fprintf(rows, "\nwithin %.3f in %d of %d cells, at most %.4f apart\n\n", tolerance, within, len(all), widest)
	return rows.Flush()
}

// Comparison is what schedules have made of a cell, on the same streams.
type Comparison struct {
	Cell
	Calendar, Threshold, Hoeffding, Ours Courses
}

// Compare runs all schedules in the cells.
func Compare(concepts []Concepts, streams int, cells []Cell, ours policy.Policy) (all []Comparison) {
	for _, cell := range cells {
		all = append(all, Comparison{
			Cell:      cell,
			Calendar:  RunAll(concepts, streams, cell, Calendar),
			Threshold: RunAll(concepts, streams, cell, Threshold),
			Hoeffding: RunAll(concepts, streams, cell, Hoeffding),
			Ours:      RunAll(concepts, streams, cell, Under(ours)),
		})
	}
	return all
}

// PrintComparison prints the accuracy of each, beside the published ones where
// they are known, and in how many cells the policy is ahead.
func PrintComparison(out io.Writer, all []Comparison, published Results) error {
	rows := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(rows, "drift\tbudget\tlatency\tthreshold, published\tagain\tADWIN, published\tagain\tcalendar\tretrained\tours\tretrained\tahead of the calendar")
	ofCalendar, surely, ofOthers := 0, 0, 0
	for i := range all {
		c := &all[i]
		threshold := published["error_threshold"][c.Cell]
		adwin := published["adwin"][c.Cell]
		ours := c.Ours.Accuracy()
		ahead, deviation := c.Ours.Ahead(c.Calendar)
		if ahead > 0 && c.Ours.Retrainings() <= c.Calendar.Retrainings() {
			ofCalendar++
			if ahead > deviation {
				surely++
			}
		}
		if ours > max(threshold, adwin, c.Threshold.Accuracy(), c.Hoeffding.Accuracy()) {
			ofOthers++
		}

		_, _ = fmt.Fprintf(rows, "%s\t%d\t%d+%d\t%s\t%.4f\t%s\t%.4f\t%.4f\t%.1f\t%.4f\t%.1f\t%+.4f ± %.4f\n",
			c.Drift, c.Budget, c.Training, c.Deploy, known(threshold), c.Threshold.Accuracy(), known(adwin), c.Hoeffding.Accuracy(),
			c.Calendar.Accuracy(), c.Calendar.Retrainings(), ours, c.Ours.Retrainings(), ahead, deviation)
	}

	_, _ = fmt.Fprintf(rows, "\nof %d cells, ours is ahead of the calendar at no more retrainings in %d (by more than a standard error in %d), of threshold and ADWIN in %d\n\n",
		len(all), ofCalendar, surely, ofOthers)
	return rows.Flush()
}

// known is a published accuracy; the table may lack it.
func known(accuracy float64) string {
	if accuracy == 0 {
		return "–"
	}
	return fmt.Sprintf("%.4f", accuracy)
}
