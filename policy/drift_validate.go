package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/internal/strict"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/metric/drift"
)

// driftFields are those that only a drift rule has, beside at_least.
func (r *Rule) driftFields() []field {
	return []field{
		{"category", r.Category != ""},
		{"metrics", r.Metrics != nil},
		{"categories", r.Categories != nil},
		{"false_alarms", !r.FalseAlarms.IsZero()},
	}
}

// validateDrift names every fault of a drift rule but those of its name and severity.
func (r *Rule) validateDrift(path string) (faults []error) {
	fault := func(field string, err error) { faults = append(faults, strict.At(strict.Join(path, field), err)) }
	others := present([]field{
		{"stat", r.Stat != ""},
		{"clear_below", !r.ClearBelow.IsZero()},
		{"clear_above", !r.ClearAbove.IsZero()},
		{"baseline", r.Baseline != nil},
	})
	for _, name := range append(others, r.kindsSet()...) {
		if name != "above" {
			fault(name, errors.New("has no place beside drift, whose statistic is held against above or false_alarms"))
		}
	}

	faults = append(faults, r.validateWatched(path)...)
	fault("drift.statistic", r.validateStatistic())
	faults = append(faults, r.Drift.Reference.validate(strict.Join(path, "drift.reference"))...)
	faults = append(faults, r.validateBound(path)...)
	if r.Period.IsZero() {
		fault("period", errors.New("must be given, such as \"24h\", over which the distribution is taken"))
	}
	return faults
}

func (r *Rule) validateStatistic() error {
	s := r.Drift.Statistic
	if !slices.Contains(drift.Statistics(), s) {
		var words []string
		for _, known := range drift.Statistics() {
			words = append(words, string(known))
		}
		return fmt.Errorf("must be %s, got %q", strings.Join(words, ", "), plain.Cut(string(s), 40))
	}
	if s.IsNumeric() && r.Metric == "" && len(r.Watched(true)) > 0 {
		return fmt.Errorf("%s is of numbers alone; of categories take psi, js, tvd or missing", s)
	}

	return nil
}

// validateWatched is about what the rule names.
func (r *Rule) validateWatched(path string) (faults []error) {
	fault := func(field string, err error) { faults = append(faults, strict.At(strict.Join(path, field), err)) }
	set := present([]field{
		{"metric", r.Metric != ""},
		{"category", r.Category != ""},
		{"metrics and categories", r.Metrics != nil || r.Categories != nil},
	})
	if len(set) != 1 {
		got := "none"
		if len(set) > 0 {
			got = strings.Join(set, " and ")
		}
		faults = append(faults, strict.At(path, fmt.Errorf("must have exactly one of metric, category, and metrics and categories beside drift, got %s", got)))
	}

	named := 0
	for _, list := range []struct {
		field      string
		isCategory bool
	}{{"metric", false}, {"category", true}} {
		names := r.Watched(list.isCategory)
		named += len(names)
		for i, name := range names {
			field := list.field
			if r.Metrics != nil || r.Categories != nil {
				field = fmt.Sprintf("%s[%d]", map[bool]string{false: "metrics", true: "categories"}[list.isCategory], i)
			}
			fault(field, metric.CheckName(name, 1, metric.MaxNameBytes))
			if slices.Contains(names[:i], name) {
				fault(field, fmt.Errorf("%q is named twice", plain.Cut(name, 60)))
			}
		}
	}

	if len(set) == 1 && (named < 1 || named > MaxWatched) {
		fault(map[bool]string{true: "categories", false: "metrics"}[r.Metrics == nil], fmt.Errorf("must be 1 to %d with the categories, got %d", MaxWatched, named))
	}
	if r.AtLeast < 0 || r.AtLeast > MaxWatched || !r.HasPattern() && r.AtLeast > named {
		fault("at_least", fmt.Errorf("must be 1 to the %d metrics and categories that the rule names, got %d", min(named, MaxWatched), r.AtLeast))
	}
	return faults
}

// validateBound is about what the statistic is held against.
func (r *Rule) validateBound(path string) (faults []error) {
	fault := func(field string, err error) { faults = append(faults, strict.At(strict.Join(path, field), err)) }
	named := 0 // without those that patterns match
	for _, name := range slices.Concat(r.Watched(false), r.Watched(true)) {
		if !strings.Contains(name, "*") {
			named++
		}
	}
	above, hasAbove := r.Above.Get()
	alarms, hasAlarms := r.FalseAlarms.Get()
	if hasAbove == hasAlarms {
		faults = append(faults, strict.At(path, fmt.Errorf("must have exactly one of above and false_alarms beside drift, got %s",
			map[bool]string{true: "both", false: "none"}[hasAbove])))
	}
	if hasAbove && !(above >= 0 && above <= metric.MaxMagnitude) {
		fault("above", fmt.Errorf("must be 0 to %.0e, got %v", metric.MaxMagnitude, above))
	}
	if !hasAlarms {
		return faults
	}

	if slices.Contains(drift.Statistics(), r.Drift.Statistic) && !r.Drift.Statistic.HasNull() {
		fault("false_alarms", fmt.Errorf("has no place beside statistic %s, which takes above", r.Drift.Statistic))
	}
	period := r.PeriodLength()
	if period <= 0 {
		return faults
	}
	if alarms.PerLook(period) >= 1 {
		fault("false_alarms", fmt.Errorf("must be fewer than the periods of %s, got %s", r.Period.Value(), alarms))
	}
	if level, ok := r.levelOf(max(named, r.Breadth())); ok && level < drift.LeastLevel {
		fault("false_alarms", fmt.Errorf("is a chance of %.1g for each metric in each period, rarer than the %.0g that can be simulated, got %s; "+
			"ask for more of them, take longer periods, or let a breach take more metrics (at_least) or periods (datapoints)", level, drift.LeastLevel, alarms))
	}
	return faults
}

// levelOf is with which chance one metric of so many is to breach in one period, though
// nothing has changed.
func (r *Rule) levelOf(metrics int) (level float64, ok bool) {
	m, n := r.MOfN()
	return drift.Level(r.FalseAlarms.Value().PerLook(r.PeriodLength()), m, n, r.Breadth(), metrics)
}

func (r *Reference) validate(path string) (faults []error) {
	fault := func(field string, err error) { faults = append(faults, strict.At(strict.Join(path, field), err)) }
	if r.From == "" {
		fault("from", errors.New("must be first, previous, trailing or profile, is missing"))
	}
	fault("from", oneOf(r.From, ReferenceFirst, ReferencePrevious, ReferenceTrailing, ReferenceProfile))

	takesSamples := r.From == ReferenceFirst || r.From == ReferencePrevious
	switch {
	case r.Samples != 0 && !takesSamples:
		fault("samples", errors.New("has its place only beside from first or previous"))
	case r.Samples < 0 || r.Samples > metric.MaxCount:
		fault("samples", fmt.Errorf("must be 1 to %d, got %d", int64(metric.MaxCount), r.Samples))
	}

	switch {
	case r.Periods != 0 && r.From != ReferenceTrailing:
		fault("periods", errors.New("has its place only beside from trailing"))
	case r.Periods < 0 || r.Periods > maxReferencePeriods:
		fault("periods", fmt.Errorf("must be 1 to %d, got %d", maxReferencePeriods, r.Periods))
	}

	switch {
	case r.Profile != "" && r.From != ReferenceProfile:
		fault("profile", errors.New("has its place only beside from profile"))
	case r.Profile == "" && r.From == ReferenceProfile:
		fault("profile", errors.New("must name the file of a profile, as `modelvigil profile` writes it"))
	}

	return faults
}

// validateProfiles is about the profiles that rules name, and those that a policy has.
func (p *Policy) validateProfiles() (faults []error) {
	named := map[string]bool{}
	for i := range p.Rules {
		r := &p.Rules[i]
		if !r.IsDrift() || r.Drift.Reference.From != ReferenceProfile || r.Drift.Reference.Profile == "" {
			continue
		}

		name := r.Drift.Reference.Profile
		path := fmt.Sprintf("rules[%d].drift.reference.profile", i)
		named[name] = true
		profile := p.Profiles[name]
		if profile == nil {
			faults = append(faults, fmt.Errorf("%s: %q is not in the policy's profiles; apply and backtest read it from a file beside the policy", path, plain.Cut(name, 100)))
			continue
		}

		for _, isCategory := range []bool{false, true} {
			for _, watched := range r.Watched(isCategory) {
				if !slices.ContainsFunc(profile.Names(isCategory), func(name string) bool { return name == watched || matches(watched, name) }) {
					faults = append(faults, fmt.Errorf("%s: %s has no %s %q", path, plain.Cut(name, 100), map[bool]string{false: "metric", true: "category"}[isCategory], plain.Cut(watched, 60)))
				}
			}
		}
	}

	for _, name := range slices.Sorted(maps.Keys(p.Profiles)) {
		if !named[name] {
			faults = append(faults, fmt.Errorf("profiles.%s: is named by no rule", plain.Cut(name, 60)))
		} else if p.Profiles[name] != nil {
			faults = append(faults, strict.At("profiles."+plain.Cut(name, 60), p.Profiles[name].Validate()))
		}
	}
	return faults
}

// decodeProfiles reads the profiles of a policy.
func (p *Policy) decodeProfiles(data []byte, path string) error {
	var object map[string]json.RawMessage
	err := json.Unmarshal(data, &object)
	if err != nil {
		return strict.At(path, strict.Got(err, data))
	}
	if object == nil {
		return nil
	}
	if len(object) > MaxRules {
		return strict.At(path, fmt.Errorf("must be at most %d, got %d", MaxRules, len(object)))
	}

	var faults strict.Faults
	p.Profiles = map[string]*drift.Profile{}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		profile := new(drift.Profile)
		faults.Add("", profile.DecodeAt(object[name], strict.Join(path, plain.Cut(name, strict.MaxPathBytes))))
		p.Profiles[name] = profile
	}
	return faults.Err()
}

// ProfilesNamed are the files of profiles that the rules name, each once.
func (p *Policy) ProfilesNamed() (names []string) {
	for i := range p.Rules {
		if r := &p.Rules[i]; r.IsDrift() && r.Drift.Reference.Profile != "" && !slices.Contains(names, r.Drift.Reference.Profile) {
			names = append(names, r.Drift.Reference.Profile)
		}
	}
	return names
}

// WithProfile returns the policy with what its rules need of a profile.
func (p Policy) WithProfile(name string, profile *drift.Profile) Policy {
	p.Profiles = maps.Clone(p.Profiles)
	if p.Profiles == nil {
		p.Profiles = map[string]*drift.Profile{}
	}
	p.Profiles[name] = profile.Only(func(watched string, isCategory bool) bool {
		return slices.ContainsFunc(p.Rules, func(r Rule) bool {
			return r.IsDrift() && r.Drift.Reference.Profile == name && r.Watches(watched, isCategory)
		})
	})
	return p
}

// Warnings are what may be meant in a valid policy, and hardly is.
func (p Policy) Warnings() (warnings []string) {
	for i := range p.Rules {
		r := &p.Rules[i]
		if !r.IsDrift() {
			continue
		}

		reference := &r.Drift.Reference
		outweighs := reference.From == ReferenceTrailing && reference.PeriodCount() < 5 ||
			(reference.From == ReferenceFirst || reference.From == ReferencePrevious) && r.MinSamples*5 > reference.SampleCount()
		if outweighs {
			warnings = append(warnings, fmt.Sprintf("rule %q: a period outweighs a fifth of its reference, %s, "+
				"whose own chance then decides; let the reference be larger", r.named().Name, reference))
		}
	}
	return append(warnings, p.warnOfCadence()...)
}

// parseLength reads a time such as 90d, 2w or 36h.
func parseLength(text string) (time.Duration, bool) {
	for unit, length := range map[string]time.Duration{"d": day, "w": 7 * day} {
		if number, isUnit := strings.CutSuffix(text, unit); isUnit {
			count, err := strconv.ParseInt(number, 10, 32)
			return time.Duration(count) * length, err == nil && count <= int64(maxWait/day)
		}
	}
	length, err := time.ParseDuration(text)
	return length, err == nil
}
