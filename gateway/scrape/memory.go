package scrape

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// forgetAfter is how long a series' last time is remembered after it: longer than
// a range selector looks back.
const forgetAfter = 7 * 24 * time.Hour

// memory is the time of the last sample that was published, by query and series.
// A file makes it outlive the process.
type memory struct {
	path string // may be empty
	last map[string]time.Time
}

func recall(path string) (*memory, error) {
	m := &memory{path, map[string]time.Time{}}
	if path == "" {
		return m, nil
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}

	if err == nil {
		err = json.Unmarshal(text, &m.last)
	}
	if err != nil {
		return nil, fmt.Errorf("state_file: read %s: %w; remove it, and what Prometheus still answers is published again", path, err)
	}

	return m, nil
}

func key(q Query, series string) string { return q.Metric + " " + q.PromQL + " " + series }

func (m *memory) has(q Query, s sample) bool {
	last, known := m.last[key(q, s.series)]
	return known && !s.event.Timestamp.After(last)
}

func (m *memory) add(q Query, s sample) { m.last[key(q, s.series)] = s.event.Timestamp }

// save writes the file at once, so that it is never half. at is the round.
func (m *memory) save(at time.Time) error {
	for series, last := range m.last {
		if at.Sub(last) > forgetAfter {
			delete(m.last, series)
		}
	}

	if m.path == "" {
		return nil
	}
	text, err := json.Marshal(m.last)
	if err != nil {
		return err
	}

	scratch, err := os.CreateTemp(filepath.Dir(m.path), filepath.Base(m.path)+".*")
	if err != nil {
		return fmt.Errorf("state_file: %w", err)
	}

	_, err = scratch.Write(text)
	err = errors.Join(err, scratch.Close())
	if err == nil {
		err = os.Rename(scratch.Name(), m.path)
	}
	if err != nil {
		return fmt.Errorf("state_file: %w", errors.Join(err, os.Remove(scratch.Name())))
	}

	return nil
}
