package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"strconv"
)

// errNoTable says that the published results are not there.
var errNoTable = errors.New("no table of the published results: name the CSV by -published or the environment's BUDGETS_PUBLISHED")

// Results are mean accuracies by schedule (periodic, error_threshold, adwin) and cell.
type Results map[string]map[Cell]float64

// ReadPublished reads published results, from a CSV with the columns policy, drift,
// budget, retrain_latency, deploy_latency and overall_accuracy.
func ReadPublished(name string) (Results, error) {
	if name == "" {
		return nil, errNoTable
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()

	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}

	if len(rows) == 0 {
		return nil, fmt.Errorf("%s: is empty", name)
	}
	column := map[string]int{}
	for i, head := range rows[0] {
		column[head] = i
	}
	for _, head := range []string{"policy", "drift", "budget", "retrain_latency", "deploy_latency", "overall_accuracy"} {
		if _, ok := column[head]; !ok {
			return nil, fmt.Errorf("%s: there is no column %q", name, head)
		}
	}

	results := Results{}
	for i, row := range rows[1:] {
		cell := Cell{Drift: row[column["drift"]]}
		var faults [4]error
		cell.Budget, faults[0] = strconv.Atoi(row[column["budget"]])
		cell.Training, faults[1] = strconv.Atoi(row[column["retrain_latency"]])
		cell.Deploy, faults[2] = strconv.Atoi(row[column["deploy_latency"]])
		accuracy, fault := strconv.ParseFloat(row[column["overall_accuracy"]], 64)
		faults[3] = fault
		if err := errors.Join(faults[:]...); err != nil {
			return nil, fmt.Errorf("%s: row %d: %w", name, i+2, err)
		}

		schedule := row[column["policy"]]
		if results[schedule] == nil {
			results[schedule] = map[Cell]float64{}
		}
		results[schedule][cell] = accuracy
	}

	return results, nil
}
