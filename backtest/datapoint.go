package backtest

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor"
)

// Datapoint is what one period of one rule came to.
type Datapoint struct {
	Rule         int // its number in the policy
	ModelVersion string
	Start, End   time.Time // of the period
	Readings     int64
	Value        metric.Reading // absent: missing
	Threshold    metric.Reading // absent: not known
	Breach       bool
	Unknown      bool // it could not be judged
	Verdict      monitor.Verdict
}

// WriteDatapoints writes the datapoints of results, which Options asked for, as a CSV.
func WriteDatapoints(w io.Writer, results []Result) error {
	table := csv.NewWriter(w)
	_ = table.Write([]string{
		"policy", "document", "model_name", "model_version", "rule", "start", "end", "readings", "value", "threshold", "state", "verdict",
	})
	for i := range results {
		r := &results[i]
		for _, p := range r.Datapoints {
			_ = table.Write([]string{
				r.Policy, strconv.Itoa(r.Document), r.ModelName, p.ModelVersion, r.Rules[p.Rule].Name,
				p.Start.Format(time.RFC3339), p.End.Format(time.RFC3339), strconv.FormatInt(p.Readings, 10),
				exactly(p.Value), exactly(p.Threshold), p.state(), string(p.Verdict),
			})
		}
	}

	table.Flush()
	if err := table.Error(); err != nil {
		return fmt.Errorf("write the datapoints: %w", err)
	}
	return nil
}

// state is what a datapoint itself says, whatever the rule says by several.
func (p *Datapoint) state() string {
	switch {
	case p.Breach:
		return "breaching"
	case p.Unknown:
		return "unknown"
	case p.Value.IsZero():
		return "missing"
	}
	return "healthy"
}

// exactly is a number that reads back as the same; empty where there is none.
func exactly(r metric.Reading) string {
	value, measured := r.Get()
	if !measured {
		return ""
	}
	return strconv.FormatFloat(value, 'g', -1, 64)
}
