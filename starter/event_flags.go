package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/modelvigil/modelvigil/metric"
)

// eventFlags are one event, given by flags.
type eventFlags struct {
	model, version, timestamp       string
	accuracy, latencyMS, driftScore float64
	metrics, categories             []string
}

// The flags of readings, which are absent unless given.
const (
	accuracyFlag = "accuracy"
	latencyFlag  = "latency-ms"
	driftFlag    = "drift-score"
)

// check refuses an event that is given both ways, or not at all.
func (f *eventFlags) check(command *cobra.Command) error {
	flags := command.Flags()
	if !flags.Changed("file") {
		if !flags.Changed("model") {
			return wrongUsage(errors.New("give an event by --model and its readings, or a file of events by --file"))
		}
		return nil
	}

	for _, name := range []string{"model", "version", accuracyFlag, latencyFlag, driftFlag, "metric", "category", "timestamp"} {
		if flags.Changed(name) {
			return wrongUsage(fmt.Errorf("--%s can't be given with --file, whose events have fields of their own", name))
		}
	}

	return nil
}

func (f *eventFlags) addTo(command *cobra.Command) {
	flags := command.Flags()
	flags.StringVar(&f.model, "model", "", "the model's name")
	flags.StringVar(&f.version, "version", "", "the model's version")
	flags.Float64Var(&f.accuracy, accuracyFlag, 0, "share of right answers, 0 to 1")
	flags.Float64Var(&f.latencyMS, latencyFlag, 0, "latency in milliseconds")
	flags.Float64Var(&f.driftScore, driftFlag, 0, "distance from the training data")
	flags.StringArrayVar(&f.metrics, "metric", nil, "a further metric as `NAME=VALUE`; can be repeated")
	flags.StringArrayVar(&f.categories, "category", nil, "a reading that is a name, as `NAME=VALUE`; can be repeated")
	flags.StringVar(&f.timestamp, "timestamp", "", "when it was measured, in RFC 3339, or Unix seconds or milliseconds (default now)")
}

// event makes the event, and names every fault of it.
func (f *eventFlags) event(command *cobra.Command) (metric.Event, error) {
	event := metric.Event{Timestamp: time.Now().UTC(), ModelName: f.model, ModelVersion: f.version}
	var faults []error
	if f.timestamp != "" {
		stamp, err := metric.ParseTimestamp(f.timestamp, nil)
		if err != nil {
			faults = append(faults, fmt.Errorf("flag --timestamp: %w", err))
		}
		event.Timestamp = stamp
	}

	for name, reading := range map[string]struct {
		into  *metric.Reading
		value float64
	}{
		accuracyFlag: {&event.Accuracy, f.accuracy}, latencyFlag: {&event.LatencyMS, f.latencyMS}, driftFlag: {&event.DriftScore, f.driftScore},
	} {
		if command.Flags().Changed(name) {
			*reading.into = metric.Some(reading.value)
		}
	}

	for _, metric := range f.metrics {
		at := strings.LastIndexByte(metric, '=')
		value, err := strconv.ParseFloat(metric[at+1:], 64)
		if at < 1 || err != nil {
			faults = append(faults, fmt.Errorf("flag --metric: must be NAME=VALUE with a number for VALUE, got %q", metric))
			continue
		}

		if event.Metrics == nil {
			event.Metrics = map[string]float64{}
		}
		if _, twice := event.Metrics[metric[:at]]; twice {
			faults = append(faults, fmt.Errorf("flag --metric: %q is given twice", metric[:at]))
		}
		event.Metrics[metric[:at]] = value
	}

	faults = append(faults, f.addCategories(&event))
	if err := errors.Join(faults...); err != nil {
		return event, wrongUsage(err)
	}
	if err := event.Validate(time.Now()); err != nil {
		return event, fmt.Errorf("the event is not published: %s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}

	return event, nil
}

// addCategories adds the readings that are names. A name ends at its first `=`, for a
// value may hold one.
func (f *eventFlags) addCategories(event *metric.Event) error {
	var faults []error
	for _, category := range f.categories {
		name, value, found := strings.Cut(category, "=")
		if !found || name == "" {
			faults = append(faults, fmt.Errorf("flag --category: must be NAME=VALUE, got %q", category))
			continue
		}

		if event.Categories == nil {
			event.Categories = map[string]string{}
		}
		if _, twice := event.Categories[name]; twice {
			faults = append(faults, fmt.Errorf("flag --category: %q is given twice", name))
		}
		event.Categories[name] = value
	}
	return errors.Join(faults...)
}
