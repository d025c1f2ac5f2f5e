package recording

import (
	"fmt"
	"slices"
	"time"
)

// Outline is what was understood of a file.
type Outline struct {
	File       string    `json:"file"` // as given
	Form       string    `json:"form"` // CSV, JSON or Parquet
	Events     int64     `json:"events"`
	Rejected   int64     `json:"rejected"`
	First      time.Time `json:"first,omitzero"` // the earliest timestamp
	Last       time.Time `json:"last,omitzero"`  // and the latest
	Models     []string  `json:"models"`         // in the order in which they were met, 100 at most
	Versions   []string  `json:"versions"`
	Taken      []string  `json:"taken"`          // metrics that were read
	PassedOver []string  `json:"passed_over"`    // columns, or members of JSON, that were not
	Zone       string    `json:"zone,omitempty"` // of times that say none; left out where all do
	Zoneless   int64     `json:"zoneless"`       // times that say none

	listed  map[string]bool
	seen    map[*Batch]int // how many of a batch's names were looked at
	twofold int64          // times that say none, and that the zone's clocks show twice
	given   string         // the zone that was given
	version string         // the last
	model   string
}

// Bounds of the names that an outline lists of each kind.
const (
	maxOutlined        = 100
	maxOutlinedColumns = 10_000
)

func newOutline(file, zone string) *Outline {
	return &Outline{File: file, Models: []string{}, Versions: []string{}, Taken: []string{}, PassedOver: []string{}, listed: map[string]bool{}, seen: map[*Batch]int{}, given: zone}
}

func (o *Outline) take(name string) {
	if !slices.Contains(o.Taken, name) {
		o.Taken = append(o.Taken, name)
	}
}

func (o *Outline) passOver(names ...string) {
	for _, name := range names {
		if !o.listed[name] && len(o.listed) < maxOutlinedColumns {
			o.listed[name] = true
			o.PassedOver = append(o.PassedOver, name)
		}
	}
}

func list(names []string, name string) []string {
	if len(names) >= maxOutlined || slices.Contains(names, name) {
		return names
	}
	return append(names, name)
}

// add sums a batch up.
func (o *Outline) add(b *Batch) {
	if o.Form != "CSV" {
		for _, name := range b.names[min(o.seen[b], len(b.names)):] {
			o.take(name)
		}
		o.seen[b] = len(b.names)
	}
	o.Events += int64(len(b.rows))
	o.Rejected += int64(len(b.rejected))
	o.Zoneless += b.zoneless
	o.twofold += b.twofold
	o.passOver(sortedKeys(b.passed)...)
	if len(b.rows) == 0 {
		return
	}

	first, last := b.rows[0].at, b.rows[0].at
	for i := range b.rows {
		r := &b.rows[i]
		first = min(first, r.at)
		last = max(last, r.at)
		if r.version != o.version {
			o.version = r.version
			o.Versions = list(o.Versions, r.version)
		}
		if r.model != o.model {
			o.model = r.model
			o.Models = list(o.Models, r.model)
		}
	}

	if at := time.Unix(0, first).UTC(); o.First.IsZero() || at.Before(o.First) {
		o.First = at
	}
	if at := time.Unix(0, last).UTC(); at.After(o.Last) {
		o.Last = at
	}
}

// end notes what the whole file shows.
func (o *Outline) end(r *Reader) {
	o.PassedOver = slices.DeleteFunc(o.PassedOver, func(name string) bool { return slices.Contains(o.Taken, name) })
	if o.Zoneless == 0 {
		return
	}

	o.Zone = o.given
	if o.given == "" {
		o.Zone = "UTC"
		r.note("times say no zone and are taken for UTC; --zone, as in --zone Europe/Berlin, names another")
	}
	if o.twofold > 0 {
		r.note("%s of an hour that the clocks of %s show twice, as they are put back, and taken for one of the two; "+
			"times with their offset, such as 2026-10-25T02:30:00+02:00, are told apart", times(o.twofold), o.Zone)
	}
}

func times(n int64) string {
	if n == 1 {
		return "1 time is"
	}
	return fmt.Sprintf("%d times are", n)
}
