package top_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/monitor/fleet"
	"github.com/modelvigil/modelvigil/policy"
	"github.com/modelvigil/modelvigil/starter/top"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// fakeFleet answers by hand.
type fakeFleet struct {
	rows    []top.Row
	freezes []fleet.Freeze
	err     error
	phase   contract.Phase // that monitors say, where it is another than the list's
	asked   []string
	told    []string
}

func (f *fakeFleet) List(context.Context) ([]top.Row, []fleet.Freeze, error) {
	return f.rows, f.freezes, f.err
}

func (f *fakeFleet) Status(_ context.Context, model string) (monitor.Status, error) {
	f.asked = append(f.asked, model)
	m := monitor.NewMachine(model, "base", policy.Policy{})
	m.Observe(noon, &metric.Event{Timestamp: noon, ModelName: model, ModelVersion: "v7", Accuracy: metric.Some(0.85)})
	m.Tick(noon)
	status := m.Status(noon)
	if i := slices.IndexFunc(f.rows, func(r top.Row) bool { return r.ModelName == model }); f.phase == "" && i >= 0 {
		status.Phase = f.rows[i].Phase
	} else {
		status.Phase = f.phase
	}
	return status, nil
}

func (f *fakeFleet) Control(_ context.Context, model, update string, c monitor.Control) (string, error) {
	f.told = append(f.told, fmt.Sprintf("%s %s by %s because %s, force %v", update, model, c.By, c.Reason, c.Force))
	return model + ": done", nil
}

func row(name, team string, phase contract.Phase, last policy.Kind) top.Row {
	return top.Row{ModelName: name, Glance: monitor.Glance{
		Phase: phase, Team: team, ModelVersion: "v7", CooldownUntil: noon.Add(90 * time.Minute),
		Last: &monitor.GlanceDecision{At: noon.Add(-time.Minute), Kind: last},
	}}
}

func small() *fakeFleet {
	return &fakeFleet{rows: []top.Row{
		row("churn", "growth", contract.PhaseAwaitingApproval, policy.AwaitingApproval),
		row("fraud", "payments", contract.PhaseCoolingDown, policy.Failed),
		row("ranking", "search", contract.PhaseWatching, policy.Succeeded),
	}}
}

// view is the model with its clock, driven as a terminal would.
type view struct {
	t     *testing.T
	model *top.Model
	now   time.Time
}

func open(t *testing.T, fleet top.Fleet, options top.Options) *view {
	v := &view{t: t, now: noon}
	options.Now = func() time.Time { return v.now }
	v.model = top.New(t.Context(), fleet, options)
	v.model.Hurry()
	v.model.Update(tea.WindowSizeMsg{Width: 140, Height: 24})
	v.run(v.model.Init())
	return v
}

// run carries commands out, but for the beat, which the tests give.
func (v *view) run(command tea.Cmd) {
	if command == nil {
		return
	}
	answered := make(chan tea.Msg, 1)
	go func() { answered <- command() }()
	msg := patience.Receive(v.t, "a command ends", answered)

	if batch, ok := msg.(tea.BatchMsg); ok {
		for _, c := range batch {
			v.run(c)
		}
		return
	}
	if strings.HasSuffix(fmt.Sprintf("%T", msg), "beatMsg") {
		return
	}
	_, next := v.model.Update(msg)
	v.run(next)
}

// beat lets time pass, and what is due be asked.
func (v *view) beat(after time.Duration) {
	v.now = v.now.Add(after)
	_, command := v.model.Update(top.Beat())
	v.run(command)
}

func (v *view) press(keys ...string) {
	for _, name := range keys {
		msg := tea.KeyPressMsg{Text: name, Code: []rune(name)[0]}
		switch name {
		case "enter":
			msg = tea.KeyPressMsg{Code: tea.KeyEnter}
		case "esc":
			msg = tea.KeyPressMsg{Code: tea.KeyEscape}
		case "down":
			msg = tea.KeyPressMsg{Code: tea.KeyDown}
		}
		_, command := v.model.Update(msg)
		v.run(command)
	}
}

func (v *view) screen() string {
	lines := strings.Split(ansi.Strip(v.model.View().Content), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

func TestTheFleetAtAGlance(t *testing.T) {
	v := open(t, small(), top.Options{Where: "here"})
	v.beat(0)
	assert.Equal(t, `3 models  1 awaiting approval  1 cooling down  1 watching  here, 0s ago

MODEL    PHASE              TEAM      VERSION  RULE      VALUE  LIMIT  TREND  LAST DECISION            COOLDOWN  LAST FAILURE  BACKEND
churn    awaiting approval  growth    v7       accuracy  0.85   0.9    ▅      awaiting approval 1m00s  1h30m
fraud    cooling down       payments  v7       accuracy  0.85   0.9    ▅      failed 1m00s             1h30m
ranking  watching           search    v7       accuracy  0.85   0.9    ▅      succeeded 1m00s          1h30m`,
		strings.Join(strings.Split(v.screen(), "\n")[:6], "\n"))
}

func TestKeysFilterSortAndSteer(t *testing.T) {
	fleet := small()
	v := open(t, fleet, top.Options{By: "ada"})
	v.press("/", "p", "a", "y")
	assert.Contains(t, v.screen(), "fraud")
	assert.NotContains(t, v.screen(), "churn")
	v.press("enter", "p", "b", "a", "d", "enter")
	assert.Equal(t, []string{"pause fraud by ada because bad, force false"}, fleet.told)
	assert.Contains(t, v.screen(), "fraud: done")
	v.press("esc", "T", "esc")
	assert.Len(t, fleet.told, 1, "escape leaves it")
	v.press("s") // by model
	assert.Contains(t, v.screen(), "by model")
	v.press("S")
	lines := strings.Split(v.screen(), "\n")
	assert.Contains(t, lines[3], "ranking", "turned around: first comes the last")
	v.press("?")
	assert.Contains(t, v.screen(), "any key goes back")
	v.press("q")
	assert.NotContains(t, v.screen(), "any key goes back")
}

func TestTheCursorStaysOnItsModelWhenTheListChanges(t *testing.T) {
	fleet := small()
	v := open(t, fleet, top.Options{By: "ada"})
	v.press("down") // on fraud
	fleet.rows = append(fleet.rows, row("another", "growth", contract.PhaseAwaitingApproval, policy.AwaitingApproval))
	v.beat(time.Minute)
	v.press("c", "enter")
	assert.Equal(t, []string{"cancel fraud by ada because , force false"}, fleet.told)
}

func TestDetailsSayWhyAndWhatComesNext(t *testing.T) {
	v := open(t, small(), top.Options{})
	v.press("down", "enter")
	v.beat(0)
	for _, text := range []string{
		"workflow model-monitor/fraud", "retrains  2026-03-01 12:00:00  accuracy 0.8500 below threshold 0.9000",
		"next      2026-03-01 13:00:00  the cooldown ends", "accuracy              breaching  0.85", "triggered",
	} {
		assert.Contains(t, v.screen(), text)
	}
}

func TestAModelOnTheScreenIsAsNewAsItsMonitor(t *testing.T) {
	fleet := small()
	fleet.phase = contract.PhaseRetraining
	v := open(t, fleet, top.Options{Filter: "ranking"})
	v.beat(0)
	assert.Contains(t, v.screen(), "ranking  retraining  search  v7       accuracy  0.85   0.9    ▅      triggered 0s")
}

func TestAServerThatIsAwayIsSaidAndTriedAgain(t *testing.T) {
	fleet := small()
	v := open(t, fleet, top.Options{})
	fleet.err = errors.New("the server is away")
	v.beat(time.Minute)
	assert.Contains(t, v.screen(), "the server is away")
	assert.Contains(t, v.screen(), "ranking", "what was known stays")
	fleet.err = nil
	v.beat(time.Minute)
	assert.NotContains(t, v.screen(), "away")
}

func TestOnlyModelsOnTheScreenAreAsked(t *testing.T) {
	fleet := &fakeFleet{}
	for i := range 10_000 {
		fleet.rows = append(fleet.rows, row(fmt.Sprintf("m%05d", i), "", contract.PhaseWatching, policy.Succeeded))
	}
	v := open(t, fleet, top.Options{Order: top.ByModel})
	for range 40 {
		v.beat(100 * time.Millisecond)
	}
	require.Len(t, fleet.asked, 20, "as many as there is room for, once within 5 s")
	assert.Equal(t, "m00019", fleet.asked[19])
	v.press("G")
	v.beat(0)
	assert.Equal(t, "m09980", fleet.asked[20])
	assert.Contains(t, v.screen(), "10,000 models")
}

func TestEveryWidthHasItsScreen(t *testing.T) {
	v := open(t, small(), top.Options{ASCII: true})
	v.beat(0)
	for width := 1; width <= 200; width++ {
		for _, height := range []int{1, 2, 5, 24} {
			v.model.Update(tea.WindowSizeMsg{Width: width, Height: height})
			lines := strings.Split(ansi.Strip(v.model.View().Content), "\n")
			require.LessOrEqual(t, len(lines), max(1, height))
			for _, line := range lines {
				require.LessOrEqual(t, ansi.StringWidth(line), width)
			}
		}
	}
	v.model.Update(tea.WindowSizeMsg{Width: 60, Height: 24})
	assert.Contains(t, v.screen(), "MODEL    PHASE              VALUE  LAST DECISION")
}

func TestFiltersTakeEveryWord(t *testing.T) {
	rows := small().rows
	assert.Len(t, top.Filter(rows, "PAY failed"), 1)
	assert.Len(t, top.Filter(rows, "cooling_down"), 1)
	assert.Empty(t, top.Filter(rows, "payments watching"))
	assert.Len(t, top.Filter(rows, " "), 3)
}

func BenchmarkTop(b *testing.B) {
	fleet := &fakeFleet{}
	phases := contract.Phases()
	for i := range 10_000 {
		fleet.rows = append(fleet.rows, row(fmt.Sprintf("model-%05d", i*7919%10_000), "team", phases[i%len(phases)], policy.Succeeded))
	}
	m := top.New(b.Context(), fleet, top.Options{Filter: "team"})
	m.Update(tea.WindowSizeMsg{Width: 140, Height: 50})
	listed := top.Listed(fleet.rows)
	m.Update(listed)
	b.Run("list of 10,000", func(b *testing.B) {
		for b.Loop() {
			m.Update(listed)
		}
	})
	b.Run("key and view", func(b *testing.B) {
		for b.Loop() {
			m.Update(tea.KeyPressMsg{Code: tea.KeyDown})
			_ = m.View()
		}
	})
}
