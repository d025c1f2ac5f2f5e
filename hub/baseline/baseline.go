// Package baseline counts the readings of model versions towards the baselines that rules
// measure them against, so that a digest ends with the reading that makes one full: the
// monitor then has as many readings of it as a rule asks for, and no more, whatever they
// were folded into.
//
// What is counted is what one hub was given since it first heard of a version. With one
// hub that is all there is. Of several, none knows what the others have: each cuts where
// its own readings alone would make a baseline full, and the monitor may have a digest's
// readings more.
package baseline

import (
	"reflect"
	"slices"
	"sync"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
)

const (
	// maxVersions bounds those that are counted. Beyond it all begin anew.
	maxVersions = 256
	// commonFactor is what the numbers of readings that people ask for are multiples of.
	// While no rules are known, digests end with each multiple, until there are maxUnlearnt.
	commonFactor = 100
	maxUnlearnt  = policy.DefaultBaselineSamples
)

// Counts are those of one model. Its methods may be called by several goroutines.
type Counts struct {
	mu       sync.Mutex
	isLearnt bool
	wanted   map[string][]int64 // by metric: with which reading of a version a baseline is full
	versions map[string]*count
}

// count is that of one version.
type count struct {
	readings map[string]int64 // by metric
	part     int              // baselines that are full
	// isOver says that nothing is counted any more: too much came before the rules were
	// known.
	isOver bool
}

// SetRules says what baselines there are, and returns whether they are others than before.
// Until it is called, a baseline of any metric may be full with each hundredth reading.
func (c *Counts) SetRules(rules []policy.Rule) (areOther bool) {
	wanted := map[string][]int64{}
	for i := range rules {
		if r := &rules[i]; r.HasBaseline() && r.BaselineOf().IsOfFirstReadings() {
			wanted[r.Metric] = append(wanted[r.Metric], r.BaselineSamples())
		}
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	areOther = len(wanted)+len(c.wanted) > 0 && !reflect.DeepEqual(wanted, c.wanted)
	c.isLearnt = true
	c.wanted = wanted
	return areOther
}

// IsOpen says that the readings of a version count: some baseline of it isn't full.
func (c *Counts) IsOpen(version string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.isOpen(c.of(version))
}

// isOpen says that some baseline of a version isn't full. c.mu is held.
func (c *Counts) isOpen(own *count) bool {
	for metric, wanted := range c.wanted { // in any order
		if own.readings[metric] < slices.Max(wanted) {
			return !own.isOver
		}
	}
	return !c.isLearnt && !own.isOver
}

// Part is how many baselines of a version are full.
func (c *Counts) Part(version string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.of(version).part
}

// Add counts an event's readings, and says whether they have made a baseline full, and
// whether some is open yet.
func (c *Counts) Add(event *metric.Event) (isFull, isOpen bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	own := c.versions[event.ModelVersion]
	if own == nil {
		own = c.begin(event.ModelVersion)
	}
	event.EachReading(func(name string, _ float64) {
		own.readings[name]++
		isFull = isFull || c.isFull(name, own.readings[name])
		own.isOver = own.isOver || !c.isLearnt && own.readings[name] >= maxUnlearnt
	})
	if isFull {
		own.part++
	}

	return isFull, c.isOpen(own)
}

// isFull says that a baseline may be full with so many readings of a metric. c.mu is held.
func (c *Counts) isFull(name string, readings int64) bool {
	if !c.isLearnt {
		return readings%commonFactor == 0
	}
	return slices.Contains(c.wanted[name], readings)
}

// of is the count of a version: nought where nothing was counted. A version that is only
// asked about takes no other's place. c.mu is held.
func (c *Counts) of(version string) *count {
	if own := c.versions[version]; own != nil {
		return own
	}
	return &count{}
}

// begin begins to count a version. c.mu is held.
func (c *Counts) begin(version string) *count {
	if c.versions == nil || len(c.versions) >= maxVersions {
		c.versions = map[string]*count{}
	}
	own := &count{readings: map[string]int64{}}
	c.versions[version] = own
	return own
}
