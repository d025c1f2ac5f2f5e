package monitor_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/monitor/journal"
	"github.com/modelvigil/modelvigil/policy"
)

// told are the notices that wait: what each says, and what it settles.
func told(m *monitor.Machine, at time.Time) (notices []string) {
	for _, n := range m.Wants(at).Notices {
		text := fmt.Sprintf("%s: %s", n.Channel, n.Decision.Kind)
		if n.OnlyEnds {
			text = n.Channel + ":"
		}
		for _, kind := range n.Ends {
			text += " ends " + string(kind)
		}
		notices = append(notices, text)
	}
	return notices
}

func TestChannelsAreToldOfWhatTheyAskFor(t *testing.T) {
	m := newMachine(policy.Policy{Team: "payments", Notify: []policy.Notify{
		{Channel: "chat"}, {Channel: "pager", Kinds: []policy.Kind{policy.Failed}}, {Channel: "lake", Kinds: []policy.Kind{policy.Succeeded}},
	}})
	breach(m, noon, "v1")
	assert.Equal(t, []string{"chat: triggered"}, told(m, noon))
	notice := m.Wants(noon).Notices[0]
	assert.Equal(t, "payments", notice.Team)
	assert.Equal(t, "fraud", notice.ModelName)
	assert.Equal(t, "accuracy 0.5000 below threshold 0.9000", notice.Decision.Reason)
	m.NoticeTold(notice.ID, nil)
	assert.Empty(t, told(m, noon))

	breach(m, noon.Add(time.Minute), "v1") // suppressed
	outcome(t, m, noon.Add(2*time.Minute), modelops.Failed, "")
	assert.Equal(t, []string{"chat: failed ends triggered", "pager: failed"}, told(m, noon))
	breach(m, noon.Add(time.Hour), "v1")
	outcome(t, m, noon.Add(2*time.Hour), modelops.Succeeded, "v2")
	assert.Equal(t, []string{
		"chat: failed ends triggered", "pager: failed", "chat: triggered",
		"chat: ends triggered ends failed ends timed_out", "pager: ends failed", "lake: succeeded",
	}, told(m, noon))
	ids := map[string]bool{}
	for _, n := range m.Wants(noon).Notices {
		ids[n.ID] = true
	}
	assert.Len(t, ids, 6)
}

func TestAStreakOfWarningsIsToldOnce(t *testing.T) {
	m := newMachine(policy.Policy{
		Rules:  []policy.Rule{{Metric: metric.Accuracy, Below: metric.Some(0.9), Severity: policy.Warning}},
		Notify: []policy.Notify{{Channel: "chat", Kinds: []policy.Kind{policy.Warned}}},
	})
	for i := range 5 {
		breach(m, noon.Add(time.Duration(i)*time.Minute), "v1")
	}
	assert.Equal(t, []string{"chat: warned"}, told(m, noon))
}

func TestNoticesThatWaitAreBoundedAndTheRestIsCounted(t *testing.T) {
	m := newMachine(policy.Policy{Notify: []policy.Notify{{Channel: "chat", Kinds: []policy.Kind{policy.Paused, policy.Resumed}}}})
	for i := range 40 {
		m.PauseBy(noon.Add(time.Duration(i)*time.Minute), monitor.Control{})
		m.ResumeBy(noon.Add(time.Duration(i)*time.Minute), monitor.Control{})
	}
	assert.Len(t, told(m, noon), 50)
	last := m.Wants(noon).Notices[49]
	m.NoticeTold(last.ID, errors.New("no such room"))
	m.NoticeTold(last.ID, nil) // a late word of a call that was made again
	assert.Equal(t, journal.NoticeCounters{Requested: 80, Failed: 31, LastFailure: "chat: no such room"}, m.Status(noon).Notices)
}

func TestAMonitorThatStopsSaysSoFirst(t *testing.T) {
	m := newMachine(policy.Policy{Notify: []policy.Notify{{Channel: "chat", Kinds: []policy.Kind{policy.Stopped}}}})
	m.StopBy(noon, monitor.Control{})
	wants := m.Wants(noon)
	require.False(t, wants.Done)
	assert.Equal(t, noon.Add(30*time.Second), wants.Wakes[0].At, "but it waits no longer")
	assert.True(t, m.Wants(noon.Add(30*time.Second)).Done)
	m.NoticeTold(wants.Notices[0].ID, nil)
	assert.True(t, m.Wants(noon).Done)
}

func TestNotifyNamesItsFaults(t *testing.T) {
	_, err := policy.Decode([]byte(`{"notify": [{"channel": "a", "kinds": ["suppressed", ""]}, {"kinds": []}, {"channel": "a", "to": "x"}]}`))
	for _, fault := range []string{
		"notify[0].kinds[0]: must be triggered or ", `got "suppressed"`, "notify[0].kinds[1]: must not be empty", "notify[1].channel: must be 1 to 100 bytes",
		"notify[1].kinds: must not be empty", "notify[2].to: unknown field", "notify[2].channel: must be unique",
	} {
		assert.ErrorContains(t, err, fault)
	}
}

func TestAChannelForOneRuleIsToldOfWhatThatLeadsToAndOfWhatSettlesIt(t *testing.T) {
	m := newMachine(policy.Policy{Notify: []policy.Notify{
		{Channel: "chat", Kinds: []policy.Kind{policy.Triggered, policy.Paused}}, {Channel: "pager", Kinds: []policy.Kind{policy.Triggered}, Rules: []string{"latency"}},
	}}.WithCooldown(0))
	breach(m, noon, "v1") // of accuracy
	m.PauseBy(noon, monitor.Control{})
	assert.Equal(t, []string{"chat: triggered", "chat: paused"}, told(m, noon))
	m.ResumeBy(noon, monitor.Control{})

	m = newMachine(policy.Policy{Notify: []policy.Notify{{Channel: "pager", Kinds: []policy.Kind{policy.Triggered}, Rules: []string{"accuracy"}}}})
	breach(m, noon, "v1")
	assert.Equal(t, []string{"pager: triggered"}, told(m, noon))
}

func TestEveryRuleThatWarnsIsToldOfOnceHoweverManyWarnAtOnce(t *testing.T) {
	p := policy.Policy{Notify: []policy.Notify{
		{Channel: "pager", Kinds: []policy.Kind{policy.Warned}, Rules: []string{"r24"}}, {Channel: "chat", Kinds: []policy.Kind{policy.Warned}},
	}}
	var want []string
	for i := range 25 {
		r := policy.Below("accuracy", 0.9)
		r.Name = fmt.Sprintf("r%02d", i)
		r.Severity = policy.Warning
		p.Rules = append(p.Rules, r)
		want = append(want, r.Name)
	}
	m := newMachine(p)
	heard := map[string][]string{}
	for range 3 { // cut by a round trip of the state
		for range 5 {
			observe(m, noon, event(noon, 0.5, 0, 0))
		}
		for _, n := range slices.Clone(m.Wants(noon).Notices) {
			heard[n.Channel] = append(heard[n.Channel], n.Decision.Rule)
			m.NoticeTold(n.ID, nil)
		}
		m = cut(t, m)
	}
	assert.Equal(t, []string{"r24"}, heard["pager"])
	assert.ElementsMatch(t, want, heard["chat"])
}
