package policy

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/modelvigil/modelvigil/internal/strict"
	"github.com/modelvigil/modelvigil/policy/calendar"
)

// What parts of a track take in a state, encoded as JSON, at most; measured by
// TestNoPolicyThatIsTakenOutgrowsTheState.
const (
	trackBytes    = 220  // a verdict, its value and threshold, and a window's own fields
	bucketBytes   = 140  // without a sketch
	sketchBytes   = 2200 // of the bins that a window keeps
	pointBytes    = 85
	detectorBytes = 5 << 9 // of ADWIN
	sumsBytes     = 300    // of CUSUM
	phaseBytes    = 12     // of a baseline's season: how many of its datapoints there are
	valueBytes    = 12     // one datapoint of a baseline, packed
	dueBytes      = 12     // of an instant of a schedule
	zoneBytes     = 800    // of the clocks of one whose year has four shifts
	calendarDays  = 29     // that a calendar has at most: two weeks behind, two ahead
	// maxTracksBytes is what all tracks may take, so that the log, the publishers
	// and the policy itself find room beside them.
	maxTracksBytes = 192 << 10
)

// footprint is how much of a monitor's state a rule may take.
func (r *Rule) footprint() int {
	if !r.IsWindowed() {
		names := 0 // of a composite's members, which the policy in the state has once more
		for _, member := range r.Members() {
			names += len(member)
		}
		due := 0
		if schedule, faults := calendar.ParseSchedule(r.Schedule, r.Zone, ""); r.Schedule != "" && faults == nil {
			due = schedule.Hours() * calendarDays * dueBytes
		}
		return MaxTracked*trackBytes + names + due
	}

	if r.IsDrift() {
		return r.driftFootprint()
	}

	bucket := bucketBytes
	if _, percentile := r.Stat.Percentile(); percentile {
		bucket += sketchBytes
	}
	total := trackBytes + r.openPeriods()*bucket + r.Reach()*pointBytes
	switch b := r.BaselineOf(); {
	case !r.HasBaseline():
	case b.From == BaselineTrailing:
		total += int(r.Phases()) * (phaseBytes + b.Periods*valueBytes)
	case b.From == BaselineReplaced:
		total += ReplacedReach * pointBytes
	default:
		total += bucket
	}
	switch {
	case r.Change == nil:
	case r.Change.Method() == DetectorCUSUM:
		total += sumsBytes
	default:
		total += detectorBytes
	}
	total *= MaxTracked
	if r.Zone != "" {
		total += zoneBytes
	}
	return total
}

// openPeriods are how many periods may be open at once: those within the grace, the one
// under way, and the next for what is ahead of the clock.
func (r *Rule) openPeriods() int {
	open := 2
	if period := r.PeriodLength(); period > 0 {
		open += int((r.GraceLength() + period - time.Nanosecond) / period)
	}
	if r.Zone != "" {
		open++ // a period ahead of the clock may pass a whole one whose clocks are put forward
	}
	return open
}

// validateFootprint refuses rules of which more is to be kept than fits, with the
// profiles that they need.
func (p *Policy) validateFootprint() error {
	total := 0
	rules := p.WithDefaults().Rules
	for i := range rules {
		total += rules[i].footprint()
	}
	if len(p.Profiles) > 0 {
		profiles, err := json.Marshal(p.Profiles)
		if err != nil {
			return strict.At("profiles", err)
		}
		total += len(profiles)
	}
	if total <= maxTracksBytes {
		return nil
	}

	costliest := slices.MaxFunc(rules, func(a, b Rule) int { return a.footprint() - b.footprint() })
	remedy := "look back over fewer datapoints, shorten its grace or its baseline's season, or measure no percentile"
	if costliest.IsDrift() {
		remedy = costliest.driftRemedy(maxTracksBytes - (total - costliest.footprint()))
	}
	return fmt.Errorf("rules: what is kept of them may take %d KiB, of at most %d; %q takes most, %d KiB: %s",
		total>>10, maxTracksBytes>>10, costliest.Name, costliest.footprint()>>10, remedy)
}

// MaxTracked bounds the versions whose windows are kept: one in service, one
// before it, and two canaries. Those heard of longest ago go first.
const MaxTracked = 4
