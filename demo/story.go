package demo

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// story is what happened: every window, and every decision of the monitor.
type story struct {
	windows   []Window
	decisions []monitor.Decision
}

// drift is one change of the concept and what became of it.
type drift struct {
	at                    time.Time // in the middle of the window it fell into
	before, during, after float64   // accuracy: mean of the window before, the worst, mean of the healed ones
	static                float64   // the first model's, over the windows of the healed ones
	version               string    // that healed it; empty if none did
	detected, recovered   time.Duration
	triggers              int
}

// drifts finds each change of the concept. A drift is recovered from at the
// first window of a new version that is above the threshold.
func (s *story) drifts() []drift {
	var all []drift
	for i := 1; i < len(s.windows); i++ {
		if s.windows[i].Concept == s.windows[i-1].Concept {
			continue
		}
		end := i + 1
		for end < len(s.windows) && s.windows[end].Concept == s.windows[i].Concept {
			end++
		}
		all = append(all, s.drift(i, end))
	}
	return all
}

// drift tells of the windows from first to end, in which a new concept reigned.
func (s *story) drift(first, end int) drift {
	windows, old := s.windows[first:end], s.windows[first-1]
	d := drift{at: windows[0].At.Add(-windowEvery / 2), during: 1}
	const look = 10 // windows before
	for _, w := range s.windows[max(0, first-look):first] {
		d.before += w.Accuracy / float64(min(look, first))
	}
	healed := 0
	for _, w := range windows {
		if d.version == "" && w.Version != old.Version && w.Accuracy >= minAccuracy {
			d.version, d.recovered = w.Version, w.At.Sub(d.at)
		}
		if d.version == "" {
			d.during = min(d.during, w.Accuracy)
			continue
		}

		healed++
		d.after += w.Accuracy
		d.static += w.Static
	}

	if healed > 0 {
		d.after, d.static = d.after/float64(healed), d.static/float64(healed)
	}
	for _, decision := range s.decisions {
		if decision.Kind == policy.Triggered && !decision.At.Before(d.at) && decision.At.Before(windows[len(windows)-1].At) {
			if d.triggers++; d.triggers == 1 {
				d.detected = decision.At.Sub(d.at)
			}
		}
	}

	return d
}

// print writes the summary table.
func (s *story) print(w io.Writer) {
	_, _ = fmt.Fprintf(w, "\nAccuracy of %s over %d windows of %d predictions:\n\n", ModelName, len(s.windows), windowSamples)
	table := tabwriter.NewWriter(w, 0, 0, 3, ' ', tabwriter.AlignRight)
	row := func(format string, args ...any) { _, _ = fmt.Fprintf(table, format+"\t\n", args...) }
	row("drift\tbefore\tworst\tafter\twithout retraining\tcaught after\thealed after\tby\tretrainings")
	for i, d := range s.drifts() {
		row("%d\t%.3f\t%.3f\t%.3f\t%.3f\t%.1f s\t%.1f s\t%s\t%d", i+1, d.before, d.during, d.after, d.static,
			d.detected.Seconds(), d.recovered.Seconds(), d.version, d.triggers)
	}

	_ = table.Flush()
	with, without := 0.0, 0.0
	for _, window := range s.windows {
		with += window.Accuracy / float64(len(s.windows))
		without += window.Static / float64(len(s.windows))
	}

	_, _ = fmt.Fprintf(w, "\nOver the whole stream: %.3f with retraining, %.3f with the first model alone.\n", with, without)
}

// verdict says what went otherwise than it should.
func (s *story) verdict() error {
	drifts := s.drifts()
	if len(drifts) != 3 {
		return fmt.Errorf("the demo should have seen three drifts, and saw %d", len(drifts))
	}

	for i, d := range drifts {
		switch {
		case d.triggers == 0:
			return fmt.Errorf("drift %d was not caught", i+1)
		case d.version == "":
			return fmt.Errorf("drift %d was caught, but not healed", i+1)
		case d.triggers > 1:
			return fmt.Errorf("drift %d led to %d retrainings instead of one", i+1, d.triggers)
		}
	}

	return nil
}
