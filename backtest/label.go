package backtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/backtest/recording"
	"github.com/modelvigil/modelvigil/internal/plain"
)

// ParseDrifts reads drifts that stand between commas, each an instant, or a beginning
// and an end with a slash between them. Times without a zone are of zone.
func ParseDrifts(text string, zone *time.Location) (drifts []Drift, err error) {
	for part := range strings.SplitSeq(text, ",") {
		from, until, _ := strings.Cut(strings.TrimSpace(part), "/")
		drift, err := driftOf(from, until, zone)
		if err != nil {
			return nil, err
		}
		drifts = append(drifts, drift)
	}
	return inOrder(drifts), nil
}

func driftOf(from, until string, zone *time.Location) (d Drift, err error) {
	d.At, _, err = recording.ParseTimestamp(strings.TrimSpace(from), zone)
	if err != nil || until == "" {
		return d, err
	}
	d.Until, _, err = recording.ParseTimestamp(strings.TrimSpace(until), zone)
	if err == nil && d.Until.Before(d.At) {
		err = fmt.Errorf("a drift must not end before it begins, got %s/%s", from, until)
	}
	return d, err
}

func inOrder(drifts []Drift) []Drift {
	slices.SortStableFunc(drifts, func(a, b Drift) int { return a.At.Compare(b.At) })
	return drifts
}

// ReadDrifts reads a file of drifts: one to a line, in the first column, its end, if
// it has one, in the second; or in the form of the Numenta Anomaly Benchmark's labels,
// JSON with a list for each file of events, of instants or of pairs of beginning and
// end. Of several lists that is read whose name ends like one of eventFiles.
func ReadDrifts(text []byte, eventFiles []string, zone *time.Location) ([]Drift, error) {
	text = bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\uFEFF")))
	if len(text) > 0 && (text[0] == '{' || text[0] == '[') {
		return readLabels(text, eventFiles, zone)
	}

	var drifts []Drift
	for number, line := range strings.Split(string(text), "\n") {
		cells := strings.FieldsFunc(line, func(r rune) bool { return r == ',' || r == ';' || r == '\t' || r == '\r' })
		if len(cells) == 0 || strings.HasPrefix(strings.TrimSpace(cells[0]), "#") {
			continue
		}

		until := ""
		if len(cells) > 1 {
			_, _, err := recording.ParseTimestamp(strings.TrimSpace(cells[1]), zone)
			if err == nil {
				until = cells[1]
			}
		}
		drift, err := driftOf(cells[0], until, zone)
		switch {
		case err == nil:
			drifts = append(drifts, drift)
		case number > 0: // the first line may be a header
			return nil, fmt.Errorf("line %d: %w", number+1, err)
		}
	}

	if len(drifts) == 0 {
		return nil, errors.New("holds no timestamp")
	}
	return inOrder(drifts), nil
}

// label is an instant, or a pair of beginning and end.
type label struct{ from, until string }

// UnmarshalJSON reads a text, or a list of one or two.
func (l *label) UnmarshalJSON(data []byte) error {
	if json.Unmarshal(data, &l.from) == nil {
		return nil
	}

	var pair []string
	if json.Unmarshal(data, &pair) != nil || len(pair) < 1 || len(pair) > 2 {
		return fmt.Errorf("a label must be an instant, or a pair of beginning and end, got %s", plain.Cut(string(data), 60))
	}
	l.from = pair[0]
	if len(pair) == 2 {
		l.until = pair[1]
	}
	return nil
}

func readLabels(text []byte, eventFiles []string, zone *time.Location) ([]Drift, error) {
	var labels []label
	if text[0] == '[' {
		err := json.Unmarshal(text, &labels)
		if err != nil {
			return nil, err
		}
	} else {
		var byFile map[string][]label
		err := json.Unmarshal(text, &byFile)
		if err != nil {
			return nil, err
		}
		name, err := labelled(slices.Sorted(maps.Keys(byFile)), eventFiles)
		if err != nil {
			return nil, err
		}
		labels = byFile[name]
	}

	drifts := []Drift{}
	for i, l := range labels {
		drift, err := driftOf(l.from, l.until, zone)
		if err != nil {
			return nil, fmt.Errorf("label %d: %w", i+1, err)
		}
		drifts = append(drifts, drift)
	}
	return inOrder(drifts), nil
}

// labelled is the name of the labels that are of the events.
func labelled(names, eventFiles []string) (string, error) {
	if len(names) == 1 {
		return names[0], nil
	}

	bare := func(file string) string {
		return strings.SplitN(filepath.Base(filepath.ToSlash(file)), ".", 2)[0]
	}
	for _, file := range eventFiles {
		for _, name := range names {
			if bare(name) == bare(file) {
				return name, nil
			}
		}
	}
	return "", fmt.Errorf("holds labels of %s, and none of the events' files is called so", plain.Cut(strings.Join(names, ", "), 200))
}
