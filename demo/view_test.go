package demo

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/monitor/contrast"
	"github.com/modelvigil/modelvigil/monitor/watch"
	"github.com/modelvigil/modelvigil/policy"
)

var colours = regexp.MustCompile("\x1b\\[[0-9;]*m")

func TestAFrameFitsEveryTerminal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		columns := rapid.IntRange(1, 200).Draw(t, "columns")
		rows := rapid.IntRange(1, 60).Draw(t, "rows")
		s := &story{}
		for i := range rapid.IntRange(1, 200).Draw(t, "windows") {
			s.windows = append(s.windows, Window{Number: i, Version: "v1", Accuracy: rapid.Float64Range(0, 1).Draw(t, "accuracy")})
		}
		for range rapid.IntRange(0, 20).Draw(t, "decisions") {
			s.decisions = append(s.decisions, monitor.Decision{
				Kind: policy.Triggered, Reason: rapid.StringN(0, 200, -1).Draw(t, "reason"), ModelVersion: "v1",
			})
		}
		status := &monitor.Status{Versions: map[string]monitor.VersionStatus{"v1": {Rules: []watch.RuleStatus{
			{Name: inputsRule, Drift: []contrast.Moved{{Name: "x1"}, {Name: "x2"}, {Name: "x3"}}},
		}}}}

		v := &view{demo: &demo{ui: "http://127.0.0.1:65535"}}
		lines := v.frame(s, status, columns, rows)
		if len(lines) > rows {
			t.Fatalf("%d lines in %d rows", len(lines), rows)
		}
		for _, line := range lines {
			if n := len([]rune(colours.ReplaceAllString(line, ""))); n > columns {
				t.Fatalf("a line of %d in %d columns: %q", n, columns, line)
			}
		}
	})
}

func TestASummaryFitsATerminalOfSixtyColumns(t *testing.T) {
	began := time.Now()
	s := &story{}
	for i := range windows {
		s.windows = append(s.windows, Window{
			Number: i, At: began.Add(time.Duration(i) * windowEvery), Concept: i / conceptWindows,
			Version: fmt.Sprintf("v%d", 1+(i+conceptWindows/2)/conceptWindows), Accuracy: 0.888, Static: 0.777,
		})
		if i%conceptWindows == 0 {
			s.alarms = append(s.alarms, alarm{inputsRule, s.windows[i].At, s.windows[i].At.Add(time.Second), []contrast.Moved{
				{Name: "x1", Bins: []string{"0.305 to 0.662 down from 12.2 % to 10.3 %"}},
			}})
		}
	}
	for _, columns := range []int{60, 80} {
		lines := s.summary(columns)
		require.Regexp(t, "Drift 3 moved x1", strings.Join(lines, "\n"))
		require.LessOrEqual(t, len(lines), 20)
		for _, line := range lines {
			require.LessOrEqual(t, len(line), columns, line)
		}
	}
}

func TestAStreakIsToldOnceItIsOver(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var told strings.Builder
	d := &diary{demo: &demo{Options: Options{Out: &told}}}
	decisions := []monitor.Decision{{At: at, Kind: policy.Triggered, ModelVersion: "v1", Reason: "accuracy 0.7"}}
	d.tell(decisions)
	require.Contains(t, told.String(), "triggered   v1  accuracy 0.7")

	told.Reset()
	decisions = append(decisions,
		monitor.Decision{At: at.Add(time.Second), Kind: policy.Suppressed, SuppressedBy: "cooldown", ModelVersion: "v1"},
		monitor.Decision{At: at.Add(2 * time.Second), Kind: policy.Suppressed, SuppressedBy: "cooldown", ModelVersion: "v1", Count: 3})
	d.tell(decisions)
	require.Empty(t, told.String(), "it may grow still")
	decisions[2].Count = 5
	for range quietWindows {
		require.Empty(t, told.String(), "it has grown in one of the last windows")
		d.tell(decisions)
	}
	d.tell(decisions)
	require.Contains(t, told.String(), "suppressed  v1  breaches: 6, cooldown")

	told.Reset()
	d.tell(append(decisions, monitor.Decision{At: at.Add(time.Minute), Kind: policy.Succeeded}))
	require.NotContains(t, told.String(), "suppressed", "it was told already")
	require.Contains(t, told.String(), "succeeded")
}

func TestDecisionsAreMergedWhateverTheStatusHasForgotten(t *testing.T) {
	at := func(second int) time.Time { return time.Date(2026, 1, 2, 3, 4, second, 0, time.UTC) }
	trigger := func(second int) monitor.Decision { return monitor.Decision{At: at(second), Kind: policy.Triggered} }
	streak := func(second int, count int64) monitor.Decision {
		return monitor.Decision{At: at(second), Kind: policy.Suppressed, Count: count}
	}
	known := merge(nil, []monitor.Decision{trigger(1), streak(2, 1)})
	known = merge(known, []monitor.Decision{trigger(1), streak(3, 2)})
	require.Equal(t, []monitor.Decision{trigger(1), streak(3, 2)}, known, "a streak is as the status has it now")
	known = merge(known, []monitor.Decision{streak(3, 2), trigger(4)})
	require.Equal(t, []monitor.Decision{trigger(1), streak(3, 2), trigger(4)}, known, "the first is remembered though the status has dropped it")
}
