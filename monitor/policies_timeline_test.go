package monitor_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// timelineStart is 00:00 of a timeline: midnight UTC of a Monday.
var timelineStart = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// moment is one line of a timeline: at a time, something is done, and the machine
// decides. docs/policies.md says how they are read.
type moment struct {
	line     int
	at       time.Duration
	action   string
	expected []expectation
}

// expectation is a decision as a timeline has it; what is left out may be anything.
type expectation struct {
	text                                  string
	kind, suppressed, rule, version, when string
	reason                                *regexp.Regexp
	times                                 int
}

var (
	timePattern   = regexp.MustCompile(`^(?:(\d+)d )?(\d+):(\d\d)(?::(\d\d))?(?:\s+|$)`)
	expectPattern = regexp.MustCompile(`^([a-z_]+)(?: \(([a-z_]+)\))?(?: by (.+?))?(?: of (\S+))?(?: at ([\dd: ]+?))?(?: x (\d+))?(?:: (.*))?$`)
	readings      = `[a-z][a-z_0-9]* -?[0-9.]+`
	eventPattern  = regexp.MustCompile(`^(` + readings + `(?:, ` + readings + `)*)(?: x (\d+))?(?: every (\S+))?(?: of (\S+))?(?: stamped ((?:\d+d )?[\d:]+))?$`)
	rulePattern   = regexp.MustCompile(`^rule (.+?)(?: of (\S+))? is (healthy|breaching|unknown)$`)
)

// parseTime reads 01:30, 01:30:05 or 3d 01:30, since the start.
func parseTime(text string) (at time.Duration, rest string, ok bool) {
	m := timePattern.FindStringSubmatch(text)
	if m == nil {
		return 0, text, false
	}
	for i, unit := range []time.Duration{24 * time.Hour, time.Hour, time.Minute, time.Second} {
		n, _ := strconv.Atoi(m[i+1]) // digits or nothing
		at += time.Duration(n) * unit
	}
	return at, text[len(m[0]):], true
}

// parseTimeline reads the lines of a timeline, of which the first is in line first.
func parseTimeline(text string, first int) (moments []moment, err error) {
	for i, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		number := first + i
		line, _, _ = strings.Cut(line, "  #")
		left, right, decides := strings.Cut(line, "->")
		left, right = strings.TrimSpace(left), strings.TrimSpace(right)
		if left != "" {
			at, action, ok := parseTime(left)
			if !ok {
				return nil, fmt.Errorf("line %d: begins with no time: %q", number, line)
			}
			if n := len(moments); n > 0 && at < moments[n-1].at {
				return nil, fmt.Errorf("line %d: is before the line above", number)
			}
			moments = append(moments, moment{line: number, at: at, action: strings.TrimSpace(action)})
		}
		switch {
		case len(moments) == 0:
			return nil, fmt.Errorf("line %d: no time is given yet", number)
		case !decides || right == "nothing":
		default:
			e, err := parseExpectation(right)
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", number, err)
			}
			last := &moments[len(moments)-1]
			last.expected = append(last.expected, e)
		}
	}
	return moments, nil
}

func parseExpectation(text string) (expectation, error) {
	m := expectPattern.FindStringSubmatch(text)
	if m == nil {
		return expectation{}, fmt.Errorf("is no decision: %q", text)
	}
	e := expectation{text: text, kind: m[1], suppressed: m[2], rule: m[3], version: m[4], when: m[5], times: 1}
	if m[6] != "" {
		e.times, _ = strconv.Atoi(m[6])
	}
	if m[7] != "" {
		e.reason = regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(m[7]), "…", ".*") + "$")
	}
	return e, nil
}

func (e *expectation) fits(d monitor.Decision) bool {
	at, _, timed := parseTime(e.when)
	return e.kind == string(d.Kind) && e.suppressed == string(d.SuppressedBy) &&
		(e.rule == "" || e.rule == d.Rule || e.rule == d.By) && (e.version == "" || e.version == d.ModelVersion) &&
		(!timed || timelineStart.Add(at).Equal(d.At)) && (e.reason == nil || e.reason.MatchString(d.Reason))
}

// heard is a decision in a timeline's words.
func heard(d monitor.Decision) string {
	by := ""
	if d.SuppressedBy != "" {
		by = fmt.Sprintf(" (%s)", d.SuppressedBy)
	}
	return fmt.Sprintf("%s%s by %s of %s at %s: %s", d.Kind, by, d.Rule, d.ModelVersion, since(d.At), d.Reason)
}

func since(at time.Time) string {
	d := at.Sub(timelineStart)
	return fmt.Sprintf("%dd %02d:%02d:%02d", d/(24*time.Hour), d/time.Hour%24, d/time.Minute%60, d/time.Second%60)
}

// play is a timeline under way.
type play struct {
	t      require.TestingT
	m      *monitor.Machine
	policy map[string]json.RawMessage
	now    time.Time
	cuts   bool // the machine is cut at each input, as by continue-as-new
	heard  []monitor.Decision
	where  func(line int) string
}

// playTimeline runs a machine through the moments, and holds it to every decision
// that is there, and to none but those.
func playTimeline(t require.TestingT, policyYAML string, moments []moment, cuts bool, where func(line int) string) {
	wire, err := yaml.YAMLToJSONStrict([]byte(policyYAML))
	require.NoError(t, err, "%s", where(moments[0].line))
	p := &play{t: t, cuts: cuts, where: where, now: timelineStart}
	require.NoError(t, json.Unmarshal(wire, &p.policy))
	p.m = monitor.NewMachine("m", "timeline", p.decode(p.policy, moments[0].line))
	listen(p.m, p.hear)
	p.tick()
	for _, moment := range moments {
		p.pass(timelineStart.Add(moment.at))
		p.before(moment)
		echo := p.do(moment)
		p.holdTo(moment, echo)
	}
}

func (p *play) hear(d monitor.Decision) { p.heard = append(p.heard, d) }

func (p *play) decode(fields map[string]json.RawMessage, line int) policy.Policy {
	wire, err := json.Marshal(fields)
	require.NoError(p.t, err)
	policy, err := policy.Decode(wire)
	require.NoError(p.t, err, "%s", p.where(line))
	return policy
}

// tick is what the workflow does when a timer fires or an input was taken.
func (p *play) tick() {
	if wanted, ok := p.m.CalendarWanted(p.now); ok {
		computed, err := p.m.Clocks().Calendar(wanted.From, wanted.Until)
		p.m.SetCalendar(p.now, wanted, computed, err)
	}
	p.m.Tick(p.now)
	if !p.cuts {
		return
	}
	encoded, err := json.Marshal(p.m.State())
	require.NoError(p.t, err)
	state, err := monitor.DecodeState(encoded)
	require.NoError(p.t, err)
	p.m = monitor.Restore(state)
	listen(p.m, p.hear)
}

// pass lets time pass, waking the machine whenever it asked to be.
func (p *play) pass(end time.Time) {
	for wake, ok := p.m.NextWake(); ok && !wake.After(end); wake, ok = p.m.NextWake() {
		p.now = wake
		p.tick()
	}
	p.now = end
	p.tick()
}

// before refuses decisions that fell before a moment and are in no line.
func (p *play) before(moment moment) {
	for _, d := range p.heard {
		require.False(p.t, d.At.Before(timelineStart.Add(moment.at)), "%s: before this line, it decided: %s", p.where(moment.line), heard(d))
	}
}

// holdTo compares what was decided with a line's decisions. The echo of what the
// line itself does need not be repeated.
func (p *play) holdTo(moment moment, echo policy.Kind) {
	got, i := p.heard, 0
	p.heard = nil
	lie := func(format string, args ...any) {
		var all strings.Builder
		for _, d := range got {
			fmt.Fprintf(&all, "\n\t%s", heard(d))
		}
		require.Fail(p.t, fmt.Sprintf(format, args...), "%s: it decided:%s", p.where(moment.line), all.String())
	}
	skip := func(e *expectation) {
		if i < len(got) && echo != "" && got[i].Kind == echo && (e == nil || !e.fits(got[i])) {
			i, echo = i+1, ""
		}
	}
	for _, e := range moment.expected {
		for range e.times {
			skip(&e)
			if i == len(got) || !e.fits(got[i]) {
				lie("decision %d is not: %s", i+1, e.text)
			}
			i++
		}
	}
	if skip(nil); i < len(got) {
		lie("decision %d is in no line", i+1)
	}
}
