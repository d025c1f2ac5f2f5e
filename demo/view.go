package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/guptarohit/asciigraph"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/monitor"
)

const (
	chartWidth, chartHeight = 90, 12
	shownDecisions          = 8
	plainEvery              = 4 // windows a line, without a terminal
)

// watch shows what happens until the stream has ended.
func (d *demo) watch(ctx context.Context) (*story, error) {
	s := &story{}
	v := &view{demo: d}
	for {
		select {
		case w, more := <-d.windows:
			if !more {
				if err := d.parts.failed(); err != nil {
					return nil, err
				}
				return s, ctx.Err()
			}

			s.windows = append(s.windows, w)
			status, err := d.status(ctx)
			if err != nil {
				return nil, err
			}

			v.show(s, status)
		case <-ctx.Done():
			return nil, ctx.Err()
		}

		if err := d.parts.failed(); err != nil {
			return nil, err
		}
	}
}

// status asks the monitor; it is patient while the worker starts.
func (d *demo) status(ctx context.Context) (monitor.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var status monitor.Status
	answer, err := d.client.QueryWorkflow(ctx, contract.WorkflowID(ModelName), "", contract.QueryStatus)
	if err == nil {
		err = answer.Get(&status)
	}
	if err != nil {
		return status, fmt.Errorf("ask the monitor of %s: %w", ModelName, err)
	}
	return status, nil
}

// view draws, or writes lines where there is no terminal.
type view struct {
	*demo
	told  int // decisions written, as lines
	drawn bool
}

func (v *view) show(s *story, status monitor.Status) {
	s.decisions = merge(s.decisions, status.Decisions)
	if v.Live {
		v.draw(s, status)
		return
	}

	w := s.windows[len(s.windows)-1]
	for ; v.told < len(s.decisions); v.told++ {
		_, _ = fmt.Fprintln(v.Out, decisionLine(s.decisions[v.told]))
	}
	if w.Number%plainEvery == 0 {
		_, _ = fmt.Fprintf(v.Out, "%s  window %3d  accuracy %.3f  %s  %s\n",
			w.At.Local().Format(time.TimeOnly), w.Number, w.Accuracy, w.Version, phase(status))
	}
}

// merge adds what is new in a status's decisions: what is later than all that is
// known, and what fell at the same instant and is not known yet. Those of a row of
// suppressed breaches share an entry, whose count alone changes.
func merge(known, latest []monitor.Decision) []monitor.Decision {
	for _, decision := range latest {
		isKnown := slices.ContainsFunc(known, func(k monitor.Decision) bool {
			return k.At.Equal(decision.At) && k.Kind == decision.Kind && k.RequestID == decision.RequestID
		})
		if n := len(known); !isKnown && (n == 0 || !decision.At.Before(known[n-1].At)) {
			known = append(known, decision)
		}
	}

	return known
}

// draw redraws the terminal.
func (v *view) draw(s *story, status monitor.Status) {
	accuracy, threshold := make([]float64, 0, chartWidth), make([]float64, 0, chartWidth)
	for _, w := range s.windows[max(0, len(s.windows)-chartWidth):] {
		accuracy = append(accuracy, w.Accuracy)
		threshold = append(threshold, minAccuracy)
	}

	w := s.windows[len(s.windows)-1]
	var text strings.Builder
	if !v.drawn {
		text.WriteString("\x1b[2J")
		v.drawn = true
	}

	text.WriteString("\x1b[H")
	line := func(format string, args ...any) { text.WriteString(fmt.Sprintf(format, args...) + "\x1b[K\n") }
	line("modelvigil watches %s   %s   version %s   window %d of %d", ModelName, phase(status), w.Version, w.Number+1, 4*conceptWindows)
	line("Temporal UI: %s", v.ui)
	line("")
	chart := asciigraph.PlotMany([][]float64{threshold, accuracy}, asciigraph.Height(chartHeight), asciigraph.Precision(2),
		asciigraph.LowerBound(0.65), asciigraph.UpperBound(0.95), asciigraph.SeriesColors(asciigraph.Red, asciigraph.Green))
	for row := range strings.SplitSeq(chart, "\n") {
		line("%s", row)
	}
	line("       accuracy %.3f (green), threshold %.2f (red), drift score %.3f", w.Accuracy, minAccuracy, w.Drift)
	line("")
	for _, decision := range s.decisions[max(0, len(s.decisions)-shownDecisions):] {
		line("  %s", decisionLine(decision))
	}
	text.WriteString("\x1b[J")
	_, _ = fmt.Fprint(v.Out, text.String())
}

func phase(status monitor.Status) string {
	return strings.ReplaceAll(string(status.Phase), "_", " ")
}

func decisionLine(d monitor.Decision) string {
	text := fmt.Sprintf("%s  %-10s", d.At.Local().Format(time.TimeOnly), d.Kind)
	if d.SuppressedBy != "" {
		text += " by " + strings.ReplaceAll(string(d.SuppressedBy), "_", " ")
	}
	if d.Reason != "" {
		text += "  " + d.Reason
	}
	if d.ModelVersion != "" {
		text += "  (" + d.ModelVersion + ")"
	}
	return text
}
