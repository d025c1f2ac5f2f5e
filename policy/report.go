package policy

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/modelvigil/modelvigil/internal/strict"
	"github.com/modelvigil/modelvigil/metric"
)

const (
	// DefaultReportEvery is how often a publisher reports a healthy model, unless a
	// rule on silence wants to hear of it sooner.
	DefaultReportEvery = time.Minute
	minReportEvery     = time.Second
	maxReportEvery     = 24 * time.Hour
	// maxKeptDistributions bounds what keep_distributions lists: as many as one rule
	// may watch.
	maxKeptDistributions = 64
)

// ReportInterval is how often one publisher alone reports a healthy model, 1 s to 24 h
// where the policy says it. Left out, it is a minute, or half of the shortest silence
// that a rule minds where that is shorter: a healthy model is heard of in time.
func (p *Policy) ReportInterval() time.Duration {
	if every, ok := p.ReportEvery.Get(); ok {
		return time.Duration(every)
	}
	if i, ok := shortestSilence(p.Rules); ok {
		return min(DefaultReportEvery, p.Rules[i].silence()/2)
	}
	return DefaultReportEvery
}

// shortestSilence finds the rule that minds the shortest silence.
func shortestSilence(rules []Rule) (rule int, ok bool) {
	for i := range rules {
		if !rules[i].SilentFor.IsZero() && (!ok || rules[i].silence() < rules[rule].silence()) {
			rule = i
			ok = true
		}
	}
	return rule, ok
}

func (r *Rule) silence() time.Duration { return time.Duration(r.SilentFor.Or(0)) }

// validateReports is about what publishers send. Only what was written down can
// contradict a rule: what is left out follows from the rules.
func (p *Policy) validateReports() (faults []error) {
	if every, ok := p.ReportEvery.Get(); ok {
		faults = append(faults, strict.At("report_every", p.validateReportEvery(time.Duration(every))))
	}

	if n := len(p.KeepDistributions); n > maxKeptDistributions {
		return append(faults, fmt.Errorf("keep_distributions: must be at most %d names or patterns, got %d", maxKeptDistributions, n))
	}
	for i, pattern := range p.KeepDistributions {
		where := fmt.Sprintf("keep_distributions[%d]", i)
		faults = append(faults, strict.At(where, metric.CheckName(pattern, 1, metric.MaxNameBytes)))
		if _, err := path.Match(pattern, ""); err != nil {
			faults = append(faults, strict.At(where, errors.New(`must be a metric's name or a pattern such as "feature.*"`)))
		}
	}

	return faults
}

func (p *Policy) validateReportEvery(every time.Duration) error {
	if every < minReportEvery || every > maxReportEvery {
		return fmt.Errorf("must be %s to %s, got %s", Duration(minReportEvery), Duration(maxReportEvery), Duration(every))
	}
	if i, ok := shortestSilence(p.Rules); ok && every >= p.Rules[i].silence() {
		return fmt.Errorf("must be shorter than the %s of rules[%d].silent_for, or a healthy model is taken for a silent one, got %s",
			Duration(p.Rules[i].silence()), i, Duration(every))
	}
	return nil
}

// Distributions are the metrics whose distributions a monitor wants to have.
type Distributions struct {
	percentiles []string // metrics that a rule takes a percentile of
	patterns    []string // further names, or patterns of path.Match
	compared    []Rule   // drift rules, which hold a distribution against another
}

// DistributionsFor are those that rules take percentiles of or look for drift in, and those that are to be
// kept besides, by names or patterns of path.Match.
func DistributionsFor(rules []Rule, keep []string) Distributions {
	d := Distributions{patterns: keep}
	for i := range rules {
		r := &rules[i]
		if r.Stat.IsPercentile() && !slices.Contains(d.percentiles, r.Metric) {
			d.percentiles = append(d.percentiles, r.Metric)
		}
		if r.IsDrift() {
			d.compared = append(d.compared, *r)
		}
	}

	return d
}

// Has says that a metric's distribution is wanted, whatever drift rules look at.
func (d *Distributions) Has(name string) bool {
	return slices.Contains(d.percentiles, name) || slices.ContainsFunc(d.patterns, func(pattern string) bool {
		fits, _ := path.Match(pattern, name)
		return fits
	})
}

// Compares says that a drift rule looks at a metric: at its distribution, or at counts
// in bins.
func (d *Distributions) Compares(name string) bool {
	return slices.ContainsFunc(d.compared, func(r Rule) bool { return r.Watches(name, false) })
}
