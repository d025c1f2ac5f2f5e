package policy

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/internal/strict"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy/calendar"
)

// Bounds of a rule's settings.
const (
	minPeriod     = time.Second
	day           = 24 * time.Hour
	maxPeriod     = 31 * day
	maxGraces     = 10 // periods that a grace may last: each is a period still open
	maxDatapoints = 100
	maxMembers    = 64
	MinDelta      = 1e-9
	// maxPercentileDigits bounds what is computed with for each datapoint.
	maxPercentileDigits = 20
)

// The percentiles that a rule may ask for, in per cent.
var minPercentile, maxPercentile = big.NewRat(1, 10), big.NewRat(999, 10)

// kinds are the fields of which a rule has exactly one.
const kinds = "below and above, or of below_baseline_by, above_baseline_by, change, drift, all_of, any_of, of, not, max_age, silent_for, new_readings and schedule"

// validate names every fault of one rule by itself.
func (r *Rule) validate(path string) error {
	var faults []error
	fault := func(field string, err error) { faults = append(faults, strict.At(strict.Join(path, field), err)) }
	fault("name", metric.CheckName(r.Name, 1, metric.MaxNameBytes))
	if strings.ContainsAny(r.Name, "\n\r") {
		fault("name", errors.New("must be one line"))
	}
	fault("severity", oneOf(r.Severity, Critical, Warning))
	if r.Condition && r.Severity == Warning {
		fault("condition", errors.New("never does anything by itself, so it has no severity; leave one of the two out"))
	}
	if r.IsDrift() {
		faults = append(faults, r.validateDrift(path)...)
		return errors.Join(append(faults, r.validatePeriod(path)...)...)
	}

	for _, field := range present(r.driftFields()) {
		fault(field, errors.New("has its place only beside drift"))
	}
	faults = append(faults, r.validateKind(path)...)
	fault("below", checkOptional(r.Below))
	fault("above", checkOptional(r.Above))
	faults = append(faults, r.validateClear(path)...)
	faults = append(faults, r.validateComparison(path)...)
	for _, field := range []struct {
		name string
		wait metric.Optional[Duration]
	}{{"max_age", r.MaxAge}, {"silent_for", r.SilentFor}} {
		if wait, ok := field.wait.Get(); ok {
			fault(field.name, checkWait(wait, time.Second))
		}
	}

	if r.NewReadings < 0 || r.NewReadings > metric.MaxCount {
		fault("new_readings", fmt.Errorf("must be 1 to %d, got %d", int64(metric.MaxCount), r.NewReadings))
	}
	if r.Schedule != "" {
		_, faulty := calendar.ParseSchedule(r.Schedule, r.Zone, path)
		faults = append(faults, faulty...)
	}
	faults = append(faults, r.validateMembers(path)...)
	return errors.Join(faults...)
}

// validateKind is about of which kind a rule is, one alone, and about the fields that have
// their place beside it.
func (r *Rule) validateKind(path string) (faults []error) {
	fault := func(field string, err error) { faults = append(faults, strict.At(strict.Join(path, field), err)) }
	set := r.kindsSet()
	if len(set) != 1 {
		got := "none"
		if len(set) > 0 {
			got = strings.Join(set, " and ")
		}
		faults = append(faults, strict.At(path, fmt.Errorf("must have exactly one of %s, got %s", kinds, got)))
	}

	kind := ""
	if len(set) > 0 {
		kind = set[0]
	}
	measures := !slices.Contains([]string{"all_of", "any_of", "of", "not", "max_age", "silent_for", "schedule"}, kind)
	switch {
	case kind == "new_readings":
		fault("metric", metric.CheckName(r.Metric, 1, metric.MaxNameBytes))
		for _, field := range r.measuringFields() {
			if field != "metric" {
				fault(field, errors.New("has no place beside new_readings, which counts readings since the last success"))
			}
		}
	case measures:
		fault("metric", metric.CheckName(r.Metric, 1, metric.MaxNameBytes))
		faults = append(faults, r.validatePeriod(path)...)
	default:
		for _, field := range r.measuringFields() {
			if field != "zone" || kind != "schedule" {
				fault(field, fmt.Errorf("has no place beside %s, which measures no metric", kind))
			}
		}
	}

	return faults
}

// validateMembers is about how many rules a composite names. Whether they exist,
// validateComposites says.
func (r *Rule) validateMembers(path string) (faults []error) {
	fault := func(field string, err error) { faults = append(faults, strict.At(strict.Join(path, field), err)) }
	for _, members := range []struct {
		name  string
		names []string
	}{{"all_of", r.AllOf}, {"any_of", r.AnyOf}, {"of", r.Of}} {
		if len(members.names) > maxMembers || members.names != nil && len(members.names) == 0 {
			fault(members.name, fmt.Errorf("must name 1 to %d rules, got %d", maxMembers, len(members.names)))
		}
	}

	switch {
	case r.Of == nil && r.AtLeast != 0:
		fault("at_least", errors.New("has its place only beside of, which names the rules"))
	case len(r.Of) > 0 && (r.AtLeast < 1 || r.AtLeast > len(r.Of)):
		fault("at_least", fmt.Errorf("must be 1 to %d, which of names, got %d", len(r.Of), r.AtLeast))
	}
	for i, name := range r.Of {
		if slices.Contains(r.Of[:i], name) { // it would count once
			fault("of", fmt.Errorf("names rule %q twice", plain.Cut(name, 60)))
		}
	}

	return faults
}

// kindsSet names which of the fields of kinds are set.
func (r *Rule) kindsSet() []string {
	return present([]field{
		{"below", !r.Below.IsZero()},
		{"above", !r.Above.IsZero()},
		{"below_baseline_by", !r.BelowBaselineBy.IsZero()},
		{"above_baseline_by", !r.AboveBaselineBy.IsZero()},
		{"change", r.Change != nil},
		{"all_of", r.AllOf != nil},
		{"any_of", r.AnyOf != nil},
		{"of", r.Of != nil},
		{"not", r.Not != ""},
		{"max_age", !r.MaxAge.IsZero()},
		{"silent_for", !r.SilentFor.IsZero()},
		{"new_readings", r.NewReadings != 0},
		{"schedule", r.Schedule != ""},
	})
}

// measuringFields names the fields set that only a rule on a metric has.
func (r *Rule) measuringFields() []string {
	return present(append([]field{{"metric", r.Metric != ""}, {"stat", r.Stat != ""}, {"period", !r.Period.IsZero()}}, r.periodFields()...))
}

// periodFields are the fields that need a period.
func (r *Rule) periodFields() []field {
	return []field{
		{"stat", r.Stat != ""},
		{"offset", !r.Offset.IsZero()},
		{"zone", r.Zone != ""},
		{"time", r.Time != ""},
		{"datapoints", r.Datapoints != nil},
		{"min_samples", r.MinSamples != 0},
		{"missing", r.Missing != ""},
		{"grace", !r.Grace.IsZero()},
		{"clear_below", !r.ClearBelow.IsZero()},
		{"clear_above", !r.ClearAbove.IsZero()},
		{"below_baseline_by", !r.BelowBaselineBy.IsZero()},
		{"above_baseline_by", !r.AboveBaselineBy.IsZero()},
		{"baseline", r.Baseline != nil},
		{"change", r.Change != nil},
	}
}

type field struct {
	name string
	set  bool
}

func present(all []field) (names []string) {
	for _, f := range all {
		if f.set && !slices.Contains(names, f.name) {
			names = append(names, f.name)
		}
	}
	return names
}

// validatePeriod is about a rule that measures a metric, on each event or over periods.
func (r *Rule) validatePeriod(path string) (faults []error) {
	fault := func(field string, err error) { faults = append(faults, strict.At(strict.Join(path, field), err)) }
	period, windowed := r.Period.Get()
	if !windowed {
		for _, field := range present(r.periodFields()) {
			fault(field, errors.New("needs a period, such as \"5m\", over which it is taken"))
		}
		return faults
	}

	if time.Duration(period) < minPeriod || time.Duration(period) > maxPeriod {
		fault("period", fmt.Errorf("must be %s to %s, got %s", Duration(minPeriod), Duration(maxPeriod), period))
	} else if time.Duration(period)%time.Second != 0 {
		fault("period", fmt.Errorf("must be whole seconds, got %s", period))
	}
	fault("offset", r.validateOffset())
	fault("zone", r.validateZone())
	switch {
	case r.IsDrift(): // whose statistic is another
	case r.Stat == "":
		fault("period", errors.New("needs a stat: min, max, mean, sum, count, or a percentile such as p99"))
	default:
		fault("stat", r.Stat.validate())
	}

	fault("time", oneOf(r.Time, TimeOfEvent, TimeOfArrival))
	fault("missing", oneOf(r.Missing, MissingIgnored, MissingBreaching, MissingOK))
	if d := r.Datapoints; d != nil {
		if m, n := r.MOfN(); d.Breaching < 0 || d.Of < 0 || m > n || n > maxDatapoints {
			fault("datapoints", fmt.Errorf("must be breaching 1 to of, and of at most %d, got %d of %d", maxDatapoints, d.Breaching, d.Of))
		}
	}
	if r.MinSamples < 0 || r.MinSamples > metric.MaxCount {
		fault("min_samples", fmt.Errorf("must be 1 to %d, got %d", int64(metric.MaxCount), r.MinSamples))
	}
	if r.IsTotal() && r.MinSamples != 0 {
		fault("min_samples", fmt.Errorf("has no place beside stat %s, which knows no missing datapoint: silence is 0", r.Stat))
	}
	if r.IsTotal() && r.Missing != "" {
		fault("missing", fmt.Errorf("has no place beside stat %s, which knows no missing datapoint: silence is 0", r.Stat))
	}
	if grace, ok := r.Grace.Get(); ok && (grace < 0 || time.Duration(grace) > maxGraces*r.PeriodLength()) {
		fault("grace", fmt.Errorf("must be 0s to %d periods, got %s", maxGraces, grace))
	}
	return faults
}

// validateOffset and validateZone are about when the periods of a rule begin.
func (r *Rule) validateOffset() error {
	offset := time.Duration(r.Offset.Or(0))
	if offset < 0 || offset > 0 && offset >= r.PeriodLength() {
		return fmt.Errorf("must be 0s to less than the period, got %s", Duration(offset))
	}
	if offset%time.Second != 0 {
		return fmt.Errorf("must be whole seconds, got %s", Duration(offset))
	}
	return nil
}

func (r *Rule) validateZone() error {
	if r.Zone == "" {
		return nil
	}
	if r.PeriodLength()%day != 0 {
		return fmt.Errorf("has its place only beside a period of whole days, such as 24h or 168h, got %s", r.Period.Or(0))
	}
	_, err := calendar.ParseZone(r.Zone)
	return err
}

func (r *Rule) validateClear(path string) (faults []error) {
	fault := func(field string, err error) { faults = append(faults, strict.At(strict.Join(path, field), err)) }
	fault("clear_below", checkOptional(r.ClearBelow))
	fault("clear_above", checkOptional(r.ClearAbove))
	if clear, ok := r.ClearAbove.Get(); ok {
		if above, has := r.Above.Get(); !has {
			fault("clear_above", errors.New("has its place only beside above"))
		} else if clear > above {
			fault("clear_above", fmt.Errorf("must not be above the threshold %v, got %v", above, clear))
		}
	}
	if clear, ok := r.ClearBelow.Get(); ok {
		if below, has := r.Below.Get(); !has {
			fault("clear_below", errors.New("has its place only beside below"))
		} else if clear < below {
			fault("clear_below", fmt.Errorf("must not be below the threshold %v, got %v", below, clear))
		}
	}

	return faults
}

// validate says whether s is a statistic.
func (s Stat) validate() error {
	switch s {
	case StatMin, StatMax, StatMean, StatSum, StatCount:
		return nil
	}
	if _, ok := s.Percentile(); ok {
		return nil
	}
	return fmt.Errorf("must be min, max, mean, sum, count, or a percentile from p%s to p%s, got %q", minPercentile.FloatString(1), maxPercentile.FloatString(1), plain.Cut(string(s), 40))
}

// IsPercentile tells a valid statistic that is a percentile from the others.
func (s Stat) IsPercentile() bool { return len(s) > 1 && s[0] == 'p' }

// Percentile is how many per cent of the readings a percentile has at or below it,
// as it is written and not as floating point rounds it.
func (s Stat) Percentile() (percent *big.Rat, ok bool) {
	number, ok := strings.CutPrefix(string(s), "p")
	if !ok || len(number) > maxPercentileDigits || strings.Trim(number, "0123456789.") != "" {
		return nil, false
	}

	percent, ok = new(big.Rat).SetString(number)
	return percent, ok && percent.Cmp(minPercentile) >= 0 && percent.Cmp(maxPercentile) <= 0
}

// oneOf refuses a word that is none of the known ones; empty is the default.
func oneOf[W ~string](word W, known ...W) error {
	if word == "" || slices.Contains(known, word) {
		return nil
	}
	var names []string
	for _, k := range known {
		names = append(names, string(k))
	}
	return fmt.Errorf("must be %s, got %q", strings.Join(names, " or "), plain.Cut(string(word), 40))
}

func checkOptional(r metric.Reading) error {
	value, ok := r.Get()
	if !ok {
		return nil
	}
	return metric.CheckReading(value)
}

// validateComposites names the composites' members that don't exist, and cycles.
func validateComposites(rules []Rule) (faults []error) {
	number := make(map[string]int, len(rules))
	for i := range rules {
		number[rules[i].Name] = i
	}
	const (
		unvisited = iota
		visiting
		done
	)
	state := make([]int, len(rules))
	var visit func(i int)
	visit = func(i int) {
		state[i] = visiting
		for _, name := range rules[i].Members() {
			member, known := number[name]
			switch {
			case !known:
				faults = append(faults, fmt.Errorf("rules[%d].%s: names rule %q, which is not in this policy", i, rules[i].kindsSet()[0], plain.Cut(name, 60)))
			case state[member] == visiting:
				faults = append(faults, fmt.Errorf("rules[%d].%s: a cycle: %q leads back to itself", i, rules[i].kindsSet()[0], rules[member].Name))
			case state[member] == unvisited:
				visit(member)
			}
		}

		state[i] = done
	}

	for i := range rules {
		if state[i] == unvisited {
			visit(i)
		}
	}

	return faults
}
