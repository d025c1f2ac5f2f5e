package backtest

import (
	"slices"
	"strings"

	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/monitor/contrast"
	"github.com/modelvigil/modelvigil/policy"
)

// maxLooks bounds the periods of a drift rule whose distributions are kept, of those
// that breach and of the others each: a chart is hardly wider.
const maxLooks = 300

// look is a judged period of a drift rule.
type look struct {
	judged   monitor.Judgement
	pictures []contrast.Picture
}

// looks are periods of one drift rule.
type looks struct{ breaching, others sampled }

// sampled are some of many, evenly: one of each so many.
type sampled struct {
	kept  []look
	every int
	seen  int
}

// look keeps what a drift rule has found of a period.
func (r *Result) look(j *monitor.Judgement) {
	if r.looks == nil {
		r.looks = map[int]*looks{}
	}
	of := r.looks[j.Rule]
	if of == nil {
		of = &looks{}
		r.looks[j.Rule] = of
	}
	if j.Breach {
		of.breaching.add(j)
		return
	}
	of.others.add(j)
}

func (s *sampled) add(j *monitor.Judgement) {
	s.every = max(1, s.every)
	if s.seen%s.every == 0 {
		s.kept = append(s.kept, look{*j, j.Compared.Pictures()})
		s.kept[len(s.kept)-1].judged.Compared = nil
	}
	s.seen++
	if len(s.kept) < 2*maxLooks {
		return
	}

	for i := range maxLooks {
		s.kept[i] = s.kept[2*i]
	}
	clear(s.kept[maxLooks:])
	s.kept = s.kept[:maxLooks]
	s.every *= 2
}

// pageDrift is a drift rule on a report.
type pageDrift struct {
	Rule      string      `json:"rule"`
	Statistic string      `json:"statistic"`
	Reference string      `json:"reference"`
	Shapes    []pageShape `json:"shapes"` // references, that looks name by their place
	Looks     []pageLook  `json:"looks"`  // in order of time
	Omitted   int         `json:"omitted,omitempty"`
}

type pageShape struct {
	Bins   []string `json:"bins"` // in words
	Counts []int64  `json:"counts"`
}

type pageLook struct {
	Start     int64         `json:"start"` // Unix seconds
	End       int64         `json:"end"`
	Version   string        `json:"version"`
	Value     *float64      `json:"value"` // nil: nothing was measured
	Threshold *float64      `json:"threshold"`
	Breach    bool          `json:"breach,omitempty"`
	Unknown   bool          `json:"unknown,omitempty"`
	Features  []pageFeature `json:"features"`
}

type pageFeature struct {
	Name      string  `json:"name"`
	Value     float64 `json:"value"`
	Threshold float64 `json:"threshold"`
	Shape     int     `json:"shape"`
	Counts    []int64 `json:"counts"`
}

func newPageDrifts(rules []policy.Rule, kept map[int]*looks) (drifts []pageDrift) {
	for i := range rules {
		of, rule := kept[i], &rules[i]
		if of == nil {
			continue
		}

		made := pageDrift{
			Rule: rule.Name, Statistic: string(rule.Drift.Statistic), Reference: rule.Drift.Reference.String(),
			Shapes: []pageShape{}, Looks: []pageLook{},
		}
		all := slices.Concat(of.breaching.kept, of.others.kept)
		slices.SortStableFunc(all, func(a, b look) int { return a.judged.Start.Compare(b.judged.Start) })
		made.Omitted = of.breaching.seen + of.others.seen - len(all)
		known := map[string]int{}
		for _, l := range all {
			made.add(&l, known)
		}
		drifts = append(drifts, made)
	}
	return drifts
}

// add adds a look; known are the places of the references that were added.
func (d *pageDrift) add(l *look, known map[string]int) {
	made := pageLook{
		Start: l.judged.Start.Unix(), End: l.judged.End.Unix(), Version: l.judged.ModelVersion,
		Breach: l.judged.Breach, Unknown: l.judged.Unknown, Features: []pageFeature{},
	}
	if value, measured := l.judged.Value.Get(); measured {
		made.Value = &value
	}
	if threshold, isKnown := l.judged.Threshold.Get(); isKnown {
		made.Threshold = &threshold
	}

	for _, picture := range l.pictures {
		counts, _ := picture.Reference.MarshalJSON()
		key := strings.Join(picture.Bins, "\n") + string(counts)
		shape, isKnown := known[key]
		if !isKnown {
			shape = len(d.Shapes)
			known[key] = shape
			d.Shapes = append(d.Shapes, pageShape{picture.Bins, picture.Reference})
		}
		made.Features = append(made.Features, pageFeature{picture.Name, picture.Value, picture.Threshold, shape, picture.Period})
	}
	d.Looks = append(d.Looks, made)
}
