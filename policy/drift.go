package policy

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/internal/strict"
	"github.com/modelvigil/modelvigil/metric/drift"
)

// Drift makes a rule one on distributions: over each period it holds those of the
// metrics and categories that the rule names against a reference.
type Drift struct {
	Statistic drift.Statistic `json:"statistic"`
	Reference Reference       `json:"reference"`
}

// Reference says what a distribution is held against.
type Reference struct {
	From    ReferenceFrom `json:"from"`
	Samples int64         `json:"samples,omitempty"` // readings of each metric, of ReferenceFirst and ReferencePrevious; default DefaultBaselineSamples
	Periods int           `json:"periods,omitempty"` // of ReferenceTrailing, 1 to 100; default DefaultReferencePeriods
	Profile string        `json:"profile,omitempty"` // of ReferenceProfile, a name in the policy's Profiles: the file beside it
}

// ReferenceFrom says whose readings make a reference.
type ReferenceFrom string

// Whose readings make a reference.
const (
	ReferenceFirst    ReferenceFrom = "first"    // the version's own first ones
	ReferencePrevious ReferenceFrom = "previous" // the first ones of the version before
	ReferenceTrailing ReferenceFrom = "trailing" // those of the version's own last judged periods
	ReferenceProfile  ReferenceFrom = "profile"  // training data's
)

// Defaults and bounds of drift rules.
const (
	DefaultReferencePeriods = 7
	maxReferencePeriods     = 100
	// MaxWatched bounds the metrics and categories of one rule.
	MaxWatched = 64
	// MaxCompared bounds the versions whose distributions are kept: those heard of last.
	MaxCompared = 2
)

// ProfileOf is the training data that a rule is held against; nil for other rules.
func (p *Policy) ProfileOf(r *Rule) *drift.Profile {
	if !r.IsDrift() || r.Drift.Reference.From != ReferenceProfile {
		return nil
	}
	return p.Profiles[r.Drift.Reference.Profile]
}

// SampleCount is how many readings make the reference.
func (r *Reference) SampleCount() int64 {
	if r.Samples == 0 {
		return DefaultBaselineSamples
	}
	return r.Samples
}

// PeriodCount is how many periods make the reference.
func (r *Reference) PeriodCount() int {
	if r.Periods == 0 {
		return DefaultReferencePeriods
	}
	return r.Periods
}

// String is the reference in words: `the first 5000`.
func (r *Reference) String() string {
	switch r.From {
	case ReferenceFirst:
		return fmt.Sprintf("the first %d", r.SampleCount())
	case ReferencePrevious:
		return fmt.Sprintf("the previous version's first %d", r.SampleCount())
	case ReferenceTrailing:
		return fmt.Sprintf("the last %d periods", r.PeriodCount())
	default:
		return "profile " + plain.Cut(plain.Text(r.Profile), 60)
	}
}

// learnsItself says that the reference is made of the version's own readings.
func (d *Drift) learnsItself() bool {
	return d.Reference.From == ReferenceFirst || d.Reference.From == ReferenceTrailing
}

func (d *Drift) decodeAt(data []byte, path string) error {
	return strict.Decode(data, path, strict.Fields{"statistic": &d.Statistic, "reference": strict.Nested(d.Reference.decodeAt)})
}

func (r *Reference) decodeAt(data []byte, path string) error {
	return strict.Decode(data, path, strict.Fields{"from": &r.From, "samples": &r.Samples, "periods": &r.Periods, "profile": &r.Profile})
}

// Alarms is how often a rule may breach though nothing has changed: so many times in a
// time, "1 per 90d".
type Alarms struct {
	Count int64
	Per   time.Duration
}

// PerLook is with which probability one judged period may breach.
func (a Alarms) PerLook(period time.Duration) float64 {
	return float64(float64(a.Count)*float64(period)) / float64(a.Per)
}

// String is the rate as a policy has it, days as such.
func (a Alarms) String() string {
	per := Duration(a.Per).String()
	if a.Per%day == 0 {
		per = strconv.FormatInt(int64(a.Per/day), 10) + "d"
	}
	return fmt.Sprintf("%d per %s", a.Count, per)
}

// MarshalJSON writes the rate as text.
func (a Alarms) MarshalJSON() ([]byte, error) { return []byte(strconv.Quote(a.String())), nil }

// UnmarshalJSON reads text such as "1 per 90d": days are 24 hours, weeks 7 of them, and
// all else is a duration of Go's form.
func (a *Alarms) UnmarshalJSON(data []byte) error {
	text, err := strconv.Unquote(string(data))
	fault := fmt.Errorf(`must be a rate such as "1 per 90d", got %s`, plain.Cut(string(data), 40))
	if err != nil {
		return fault
	}
	words := strings.Fields(text)
	if len(words) != 3 || words[1] != "per" {
		return fault
	}
	count, err := strconv.ParseInt(words[0], 10, 32)
	per, isTime := parseLength(words[2])
	if err != nil || count < 1 || !isTime || per <= 0 {
		return fault
	}
	*a = Alarms{count, per}
	return nil
}

// IsDrift says that the rule holds distributions against a reference.
func (r *Rule) IsDrift() bool { return r.Drift != nil }

// Watched are the metrics, or the categories, that a drift rule names, by name or by
// pattern.
func (r *Rule) Watched(categories bool) []string {
	one, many := r.Metric, r.Metrics
	if categories {
		one = r.Category
		many = r.Categories
	}
	if one != "" {
		return []string{one}
	}
	return many
}

// Watches says that a drift rule is about a metric, or a category.
func (r *Rule) Watches(name string, isCategory bool) bool {
	for _, pattern := range r.Watched(isCategory) {
		if pattern == name || strings.Contains(pattern, "*") && matches(pattern, name) {
			return true
		}
	}
	return false
}

// HasPattern says that which metrics a drift rule is about is seen when they come.
func (r *Rule) HasPattern() bool {
	for _, isCategory := range []bool{false, true} {
		for _, name := range r.Watched(isCategory) {
			if strings.Contains(name, "*") {
				return true
			}
		}
	}
	return false
}

// watching is how many metrics and categories a drift rule may be about at most.
func (r *Rule) watching() int {
	if r.HasPattern() {
		return MaxWatched
	}
	return len(r.Watched(false)) + len(r.Watched(true))
}

// Breadth is how many of its metrics must be beyond their bounds.
func (r *Rule) Breadth() int { return max(1, r.AtLeast) }

// matches says that a name has a pattern's parts in their order; a `*` is anything
// between two.
func matches(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	first, last := parts[0], parts[len(parts)-1]
	if len(name) < len(first)+len(last) || !strings.HasPrefix(name, first) || !strings.HasSuffix(name, last) {
		return false
	}

	name = name[len(first) : len(name)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		_, rest, found := strings.Cut(name, part)
		if !found {
			return false
		}
		name = rest
	}
	return true
}

// LearningBins is how many bins of a distribution are kept until its edges are known:
// the fewer, the more there is to learn at once.
func (r *Rule) LearningBins() (bins int) {
	for _, bins = range learningBins {
		if r.learningBytes(bins) <= maxTracksBytes/4 {
			return bins
		}
	}
	return bins
}

// driftText is what a drift rule looks at, and how.
func (r *Rule) driftText() string {
	var names []string
	for _, isCategory := range []bool{false, true} {
		names = append(names, r.Watched(isCategory)...)
	}
	subject := strings.Join(names, ", ")
	if r.AtLeast > 1 {
		subject = fmt.Sprintf("at least %d of %s:", r.AtLeast, subject)
	}
	text := fmt.Sprintf("%s %s %s against %s", subject, r.Drift.Statistic, r.span(), r.Drift.Reference.String())
	if alarms, ok := r.FalseAlarms.Get(); ok {
		text += ", false alarms " + alarms.String()
	}

	return text
}

// DriftReason is a breach of a drift rule by one metric in words: `age ks 0.1832 above
// threshold 0.1500 over 24h against the first 5000`.
func (r *Rule) DriftReason(name string, value, threshold float64) string {
	figures := r.Figures(value, threshold)
	return fmt.Sprintf("%s %s %s above threshold %s over %s against %s",
		Word(name), r.Drift.Statistic, figures[0], figures[1], r.Period.Value(), r.Drift.Reference.String())
}

// What a drift rule keeps of one metric, encoded as JSON, at most.
const (
	countsBytes = 90  // of a period, packed
	frozenBytes = 360 // a reference with its name, and what was judged last
	boundsBytes = 125 // of a rate of false alarms
	nameBytes   = 120 // of a distribution that is learnt, with what stands around it
	// MaxReferenceText bounds what the names of a category's values take, one next to
	// another, in a reference and while it is learnt.
	MaxReferenceText = 1 << 10
)

// learningBins are how many bins may be kept of a distribution whose edges are not
// known yet.
var learningBins = [...]int{256, 128, 64, 32, 24}

// spreadBytes is what a distribution of so many bins takes, packed.
func spreadBytes(bins int) int { return bins*7/2 + 30 }

// learningBytes is what a rule keeps while it learns.
func (r *Rule) learningBytes(bins int) int {
	distributions := 1
	if r.Drift.Reference.From == ReferenceTrailing {
		distributions = r.Drift.Reference.PeriodCount() + r.openPeriods()
	}
	if r.Drift.Reference.From == ReferenceProfile {
		return 0
	}
	categories := len(r.Watched(true))
	numbers := r.watching() - categories
	return MaxCompared * (r.watching()*nameBytes + distributions*(numbers*spreadBytes(bins)+categories*MaxReferenceText))
}

// driftFootprint is how much of a monitor's state a drift rule may take.
func (r *Rule) driftFootprint() int {
	watching := r.watching()
	frozen := frozenBytes + r.openPeriods()*countsBytes
	if r.Drift.Reference.From == ReferenceTrailing {
		frozen += r.Drift.Reference.PeriodCount() * countsBytes
	}
	if r.Drift.Reference.From == ReferencePrevious {
		frozen += frozenBytes
	}
	if !r.FalseAlarms.IsZero() {
		frozen += boundsBytes
	}
	kept := max(MaxCompared*watching*frozen+MaxCompared*len(r.Watched(true))*MaxReferenceText, r.learningBytes(r.LearningBins()))
	return MaxTracked*(trackBytes+r.Reach()*pointBytes) + kept
}

// driftRemedy says how a drift rule may be made to fit.
func (r *Rule) driftRemedy(room int) string {
	per := r.driftFootprint() / max(1, r.watching())
	return fmt.Sprintf("it watches %d metrics, of which each takes %d bytes: some %d of them fit, or fewer trailing periods",
		r.watching(), per, max(1, room/max(1, per)))
}
