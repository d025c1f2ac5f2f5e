package journal_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor/journal"
	"github.com/modelvigil/modelvigil/policy"
)

const (
	// rules is more than have streaks of their own.
	rules    = 14
	ownRules = 10
	lastKept = 50
)

// moment is one at which every rule has measured its number.
type moment float64

func (m moment) Tell(rule int) journal.Told { return m.told(rule, float64(m)) }

func (m moment) Keep(int) (journal.Evidence, float64) { return evidence{}, float64(m) }

func (moment) told(rule int, value float64) journal.Told {
	return journal.Told{Value: metric.Some(value), Reason: fmt.Sprintf("rule %d measured %v", rule, value)}
}

// evidence is what a moment leaves behind.
type evidence struct{}

func (evidence) Tell(rule int, value float64) journal.Told { return moment(0).told(rule, value) }

// plainly keeps a log by its definition: each decision in words as it falls.
type plainly struct {
	log    []journal.Decision
	warned []int    // rules with a streak of their own since the last notable decision
	told   []string // what channels were told of since then
}

func (p *plainly) decide(d journal.Decision) {
	if d.IsNotable() {
		p.warned = nil
		p.told = nil
	}
	p.log = journal.KeepLast(journal.AppendDecision(p.log, d), lastKept)
}

func (p *plainly) repeat(now time.Time, kind policy.Kind, by journal.Suppression, rule int, m moment) {
	told := m.Tell(rule)
	d := journal.Decision{
		At: now, Kind: kind, Rule: ruleName(rule), SuppressedBy: by, ModelVersion: "v1", Value: told.Value, Reason: told.Reason, Count: 1,
	}
	if kind == policy.Warned {
		if !slices.Contains(p.told, d.Rule) {
			p.told = append(p.told, d.Rule)
		}
		if !slices.Contains(p.warned, rule) && len(p.warned) < ownRules {
			p.warned = append(p.warned, rule)
		}
		if !slices.Contains(p.warned, rule) {
			d.Rule = ""
		}
	}
	p.decide(d)
}

func ruleName(rule int) string { return fmt.Sprint("rule-", rule) }

// Whatever falls, in whatever order, and however often a run hands its log on or somebody
// reads it in between: the log says what it would say if each decision had been written
// down in words, and channels hear of each rule's first warning between two notable decisions.
func TestALogSaysWhatItWouldIfEachDecisionWereWrittenInWords(t *testing.T) {
	followed := &policy.Policy{Notify: []policy.Notify{{Channel: "lake", Kinds: []policy.Kind{policy.Warned}}}}
	for rule := range rules {
		followed.Rules = append(followed.Rules, policy.Rule{Name: ruleName(rule)})
	}
	rapid.Check(t, func(t *rapid.T) {
		entries := &journal.Entries{}
		j := &journal.Journal{}
		j.Open(entries, "fraud", "run", followed)
		want := &plainly{}
		now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		told := func() (rules []string) {
			for _, notice := range entries.Notices {
				rules = append(rules, notice.Decision.Rule)
			}
			return rules
		}
		read := func(t *rapid.T) {
			j.Settle()
			assert.Equal(t, want.log, entries.Decisions)
			assert.ElementsMatch(t, want.told, told())
		}
		t.Repeat(map[string]func(*rapid.T){
			"warnings": func(t *rapid.T) {
				for _, rule := range rapid.SliceOfN(rapid.IntRange(0, rules-1), 1, 30).Draw(t, "rules") {
					now = now.Add(time.Second)
					m := moment(now.Sub(time.Time{}).Seconds())
					j.Repeat(now, "v1", policy.Warned, "", rule, m)
					want.repeat(now, policy.Warned, "", rule, m)
				}
			},
			"suppressed": func(t *rapid.T) {
				by := rapid.SampledFrom(journal.Suppressions()).Draw(t, "by")
				rule := rapid.IntRange(0, rules-1).Draw(t, "rule")
				now = now.Add(time.Second)
				j.Repeat(now, "v1", policy.Suppressed, by, rule, moment(rule))
				want.repeat(now, policy.Suppressed, by, rule, moment(rule))
			},
			"notable": func(t *rapid.T) {
				now = now.Add(time.Second)
				d := journal.Decision{At: now, Kind: rapid.SampledFrom([]policy.Kind{policy.Triggered, policy.Succeeded, policy.Paused}).Draw(t, "kind"), Reason: "so"}
				j.Decide(d)
				want.decide(d)
				entries.Notices = nil
			},
			"handed on": func(*rapid.T) {
				j.Settle()
				j = &journal.Journal{}
				j.Open(entries, "fraud", "run", followed)
			},
			"read": read,
		})
		read(t)
	})
}
