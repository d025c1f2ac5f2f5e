package monitor_test

import (
	"encoding/json"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// operators is what an operator can do, and the decision that says it was done.
var operators = map[string]policy.Kind{
	"retrain": "", "retrain --force": "", "pause": policy.Paused, "resume": policy.Resumed, "approve": policy.Approved,
	"reject": policy.ApprovalRejected, "cancel": policy.Cancelled, "stop": policy.Stopped,
}

// do does what a line says, and returns the decision that is its mere echo.
func (p *play) do(moment moment) (echo policy.Kind) {
	action := moment.action
	word, rest, _ := strings.Cut(action, " ")
	echo, operates := operators[action]
	switch {
	case action == "":
	case operates:
		p.operate(action)
		p.tick()
	case word == "retraining":
		return p.end(rest, moment.line)
	case word == "apply":
		p.apply(rest, moment.line)
		return policy.PolicyChanged
	case strings.HasPrefix(action, "away until "):
		until, _, ok := parseTime(strings.TrimPrefix(action, "away until "))
		require.True(p.t, ok, "%s", p.where(moment.line))
		p.now = timelineStart.Add(until) // nobody wakes the machine meanwhile
		p.tick()
	case strings.HasPrefix(action, "phase is "):
		require.Equal(p.t, strings.TrimPrefix(action, "phase is "), string(p.m.Phase(p.now)), "%s", p.where(moment.line))
	case rulePattern.MatchString(action):
		p.verdict(rulePattern.FindStringSubmatch(action), moment.line)
	default:
		p.observe(action, moment.line)
	}
	return echo
}

// observe gives the machine events: `accuracy 0.93, auc 0.8 x 60 every 1m of v2`.
func (p *play) observe(action string, line int) {
	m := eventPattern.FindStringSubmatch(action)
	require.NotNil(p.t, m, "%s: is neither events nor anything else: %q", p.where(line), action)
	count, every, version := 1, time.Duration(0), "v1"
	var err error
	if m[2] != "" {
		count, err = strconv.Atoi(m[2])
		require.NoError(p.t, err)
	}
	if m[3] != "" {
		every, err = time.ParseDuration(m[3])
		require.NoError(p.t, err, "%s", p.where(line))
	}
	if m[4] != "" {
		version = m[4]
	}
	for i := range count {
		if i > 0 && every > 0 {
			p.pass(p.now.Add(every))
		}
		event := &metric.Event{Timestamp: p.now, ModelName: "m", ModelVersion: version}
		if stamp, _, ok := parseTime(m[5]); ok {
			event.Timestamp = timelineStart.Add(stamp)
		}
		for _, reading := range strings.Split(m[1], ", ") {
			name, text, _ := strings.Cut(reading, " ")
			value, err := strconv.ParseFloat(text, 64)
			require.NoError(p.t, err, "%s", p.where(line))
			switch name {
			case metric.Accuracy:
				event.Accuracy = metric.Some(value)
			case metric.LatencyMS:
				event.LatencyMS = metric.Some(value)
			case metric.DriftScore:
				event.DriftScore = metric.Some(value)
			default:
				if event.Metrics == nil {
					event.Metrics = map[string]float64{}
				}
				event.Metrics[name] = value
			}
		}
		require.NoError(p.t, event.Validate(p.now), "%s", p.where(line))
		p.m.Observe(p.now, event)
		p.tick()
	}
}

// refused is the decision that stands for a command which is refused.
func (p *play) refuse(err error) {
	p.hear(monitor.Decision{At: p.now, Kind: "refused", Reason: err.Error()})
}

func (p *play) operate(action string) {
	control := monitor.Control{By: "ada", Force: action == "retrain --force"}
	check := func(err error, do func()) {
		if err != nil {
			p.refuse(err)
			return
		}
		do()
	}
	switch action {
	case "pause":
		p.m.PauseBy(p.now, control)
	case "resume":
		p.m.ResumeBy(p.now, control)
	case "stop":
		p.m.StopBy(p.now, control)
	case "approve":
		check(p.m.CanAnswer(true), func() { p.m.Approve(p.now, control) })
	case "reject":
		check(p.m.CanAnswer(false), func() { p.m.RejectPending(p.now, control) })
	case "cancel":
		check(p.m.CanCancel(), func() { p.m.CancelTold(p.now, p.m.Cancel(p.now, control), nil) })
	default:
		check(p.m.CanRetrain(p.now, control), func() { p.m.Retrain(p.now, control) })
	}
}

// end ends the retraining in flight: `succeeded v2`, `failed` or `accepted`.
func (p *play) end(how string, line int) policy.Kind {
	wants := p.m.Wants(p.now)
	require.NotNil(p.t, wants.Schedule, "%s: no retraining is in flight", p.where(line))
	id := wants.Schedule.RequestID
	state, version, _ := strings.Cut(how, " ")
	if state == "accepted" {
		p.m.TakeJob(p.now, id, modelops.Job{Backend: "b"})
	} else {
		require.Contains(p.t, []string{"succeeded", "failed"}, state, "%s", p.where(line))
		p.m.Outcome(p.now, modelops.Outcome{RequestID: id, State: modelops.State(state), ModelVersion: version})
	}
	p.tick()
	return policy.Kind(state)
}

// apply replaces fields of the policy: `apply {cooldown: 2h}`.
func (p *play) apply(fields string, line int) {
	wire, err := yaml.YAMLToJSONStrict([]byte(fields))
	require.NoError(p.t, err, "%s", p.where(line))
	var over map[string]json.RawMessage
	require.NoError(p.t, json.Unmarshal(wire, &over), "%s", p.where(line))
	maps.Copy(p.policy, over)
	p.m.SetPolicy(p.now, p.decode(p.policy, line))
	p.tick()
}

// verdict is what `rule slow of v2 is breaching` says.
func (p *play) verdict(m []string, line int) {
	version := "v1"
	if m[2] != "" {
		version = m[2]
	}
	said := "no such rule"
	for _, rule := range p.m.Status(p.now).Versions[version].Rules {
		if rule.Name != m[1] {
			continue
		}
		if said = string(rule.Verdict); said == "" {
			said = "unknown"
		}
	}
	require.Equal(p.t, m[3], said, "%s: %s", p.where(line), m[0])
}
