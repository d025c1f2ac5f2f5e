package monitor_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/metric/drift"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// maxTracks is what a policy may let tracks take, see policy.Validate.
const maxTracks = 192 << 10

// What drift rules keep, of the most metrics that a policy is taken with, learning and
// learnt, takes no more than their footprint says, whatever is measured.
func TestNoDriftRuleThatIsTakenOutgrowsTheState(t *testing.T) {
	for _, from := range []policy.ReferenceFrom{policy.ReferenceFirst, policy.ReferencePrevious, policy.ReferenceTrailing, policy.ReferenceProfile} {
		for _, kind := range []string{"metrics", "categories"} {
			t.Run(fmt.Sprintf("%s of %s", kind, from), func(t *testing.T) {
				worstDrift(t, from, kind == "categories")
			})
		}
	}
}

func worstDrift(t *testing.T, from policy.ReferenceFrom, isCategories bool) {
	wanted, names := widestDrift(from, isCategories)
	t.Logf("%d names in %d rules", len(names), len(wanted.Rules))
	require.NotEmpty(t, names)
	m := newMachine(wanted)
	random := rand.New(rand.NewPCG(1, 2))
	found := (&drift.Null{Statistic: drift.TVD, Counts: drift.Counts{1, 1}, Level: 0.5}).Find(1)
	most, learning := 0, 0
	for i := range 14 {
		now := noon.Add(time.Duration(i) * time.Hour)
		for v := range 4 {
			if i%2 == 0 && v > 1 { // those heard of last are two
				continue
			}
			digest := &metric.Digest{ModelVersion: fmt.Sprintf("v%d", v), Events: manyReadings, First: now, Last: now, FoldedFrom: now, FoldedUntil: now}
			for _, name := range names {
				put(digest, name, isCategories, random)
			}
			m.ObserveBatch(now, &metric.Batch{Version: 1, ModelName: "fraud", Publisher: "p", Sequence: int64(4*i + v + 1), Digests: []*metric.Digest{digest}})
		}
		for _, lacking := range m.BoundsWanted() {
			bounds := make([]drift.Bounds, len(lacking.Features))
			for f := range bounds {
				bounds[f] = make(drift.Bounds, len(found))
				for at := range found {
					bounds[f][at] = 1 + random.Float64()
				}
			}
			m.SetBounds(&lacking, bounds)
		}
		takes := tracksOf(t, m)
		most = max(most, takes)
		if i < 5 {
			learning = max(learning, takes)
		}
		tickUntil(m, now.Add(59*time.Minute))
	}

	require.Zero(t, m.Status(noon).Rejected)
	t.Logf("%d KiB, while it learns %d KiB", most>>10, learning>>10)
	assert.LessOrEqual(t, most, maxTracks)
	assert.Less(t, len(encode(t, m.State())), monitor.MaxStateBytes)
}

const manyReadings = 600 << 12

// widestDrift is the policy with the most metrics, or categories, of one reference that
// is taken, as rules of 64 and one of the rest.
func widestDrift(from policy.ReferenceFrom, isCategories bool) (wanted policy.Policy, names []string) {
	reference := policy.Reference{From: from}
	switch from {
	case policy.ReferenceTrailing:
		reference.Periods = 7
	case policy.ReferenceProfile:
		reference.Profile = "p.json"
	default:
		reference.Samples = 4 * manyReadings
	}
	with := func(most int) (p policy.Policy, names []string) {
		p = policy.Policy{}.WithCooldown(0)
		for len(names) < most {
			rule := policy.Rule{
				Name: fmt.Sprintf("inputs %d", len(p.Rules)), Period: metric.Some(policy.Duration(time.Hour)), FalseAlarms: metric.Some(policy.Alarms{Count: 1, Per: 90 * 24 * time.Hour}),
				Drift: &policy.Drift{Statistic: drift.JS, Reference: reference},
			}
			for range min(policy.MaxWatched, most-len(names)) {
				name := fmt.Sprintf("%d", len(names))
				name += strings.Repeat("n", metric.MaxNameBytes-len(name))
				names = append(names, name)
				if isCategories {
					rule.Categories = append(rule.Categories, name)
				} else {
					rule.Metrics = append(rule.Metrics, name)
				}
			}
			rule.AtLeast = len(rule.Metrics) + len(rule.Categories)
			p.Rules = append(p.Rules, rule)
		}
		if from == policy.ReferenceProfile {
			p.Profiles = map[string]*drift.Profile{"p.json": profileOf(names, isCategories)}
		}
		return p, names
	}

	most := 1
	for most < metric.MaxExtraMetrics {
		p, _ := with(most + 1)
		if p.Validate() != nil {
			break
		}
		most++
	}
	wanted, names = with(most)
	return wanted, names
}

func profileOf(names []string, isCategories bool) *drift.Profile {
	p := &drift.Profile{Metrics: map[string]*drift.ProfiledMetric{}, Categories: map[string]*drift.ProfiledCategory{}}
	for _, name := range names {
		if isCategories {
			p.Categories[name] = &drift.ProfiledCategory{Counts: map[string]int64{}}
			for i := range 10 {
				p.Categories[name].Counts[value(i)] = 1_000_000
			}
			continue
		}
		p.Metrics[name] = &drift.ProfiledMetric{Std: 1.0 / 3}
		for i := range drift.MaxEdges {
			p.Metrics[name].Edges = append(p.Metrics[name].Edges, float64(i)/3)
		}
		for range drift.MaxEdges + 1 {
			p.Metrics[name].Counts = append(p.Metrics[name].Counts, 1_000_000)
		}
	}
	return p
}

func value(i int) string { return fmt.Sprintf("%d%s", i, strings.Repeat("v", 90)) }

// put lets a digest have many readings that are far apart.
func put(d *metric.Digest, name string, isCategories bool, random *rand.Rand) {
	if isCategories {
		values := &metric.Values{}
		left := int64(manyReadings)
		for i := range 100 {
			count := 1 + random.Int64N(left/50)
			values.Add(value(i), count)
			left -= count
		}
		values.Other = left
		if d.Categories == nil {
			d.Categories = map[string]*metric.Values{}
		}
		d.Categories[name] = values
		return
	}

	summary := &metric.Summary{}
	for range 600 {
		summary.Add(math.Copysign(math.Pow(10, 20*random.Float64()-10), random.Float64()-0.5), d.Last)
	}
	for summary.Count < manyReadings {
		twice := *summary
		twice.Sketch = summary.Sketch.Clone()
		summary.Merge(&twice)
	}
	if d.Metrics == nil {
		d.Metrics = map[string]*metric.Summary{}
	}
	d.Metrics[name] = summary
}

// tracksOf is how long what is kept of rules is, encoded, with the profiles that they
// are held against.
func tracksOf(t *testing.T, m *monitor.Machine) (bytes int) {
	var state struct {
		Policy struct {
			Profiles json.RawMessage `json:"profiles"`
		} `json:"policy"`
		Versions map[string]struct {
			Rules json.RawMessage `json:"rules"`
		} `json:"versions"`
	}
	require.NoError(t, json.Unmarshal([]byte(encode(t, m.State())), &state))
	bytes = len(state.Policy.Profiles)
	for _, v := range state.Versions {
		bytes += len(v.Rules)
	}
	return bytes
}
