package monitor_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/internal/toll"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/monitor/retraining"
	"github.com/modelvigil/modelvigil/policy"
)

// many joins n texts by commas.
func many(n int, text func(i int) string) string {
	all := make([]string, n)
	for i := range all {
		all[i] = text(i)
	}
	return strings.Join(all, ",")
}

// costlyPolicies are those that cost most an observation, of what is accepted.
var costlyPolicies = map[string]string{
	"50 warnings": many(50, func(i int) string {
		return fmt.Sprintf(`{"name":"w%d","metric":"accuracy","below":0.9,"severity":"warning"}`, i)
	}),
	"50 that trigger": many(50, func(i int) string { return fmt.Sprintf(`{"name":"w%d","metric":"accuracy","below":0.9}`, i) }),
	"30 composites of 20": many(20, func(i int) string {
		return fmt.Sprintf(`{"name":"m%d","metric":"accuracy","below":0.9,"condition":true}`, i)
	}) + "," + many(30, func(i int) string {
		return fmt.Sprintf(`{"name":"c%d","severity":"warning","all_of":[%s]}`, i, many(20, func(j int) string { return fmt.Sprintf(`"m%d"`, j) }))
	}),
	"composites of the two before": `{"name":"c0","metric":"accuracy","below":0.9,"condition":true},{"name":"c1","metric":"accuracy","below":0.8,"condition":true},` +
		many(47, func(i int) string {
			return fmt.Sprintf(`{"name":"c%d","severity":"warning","any_of":["c%d","c%d"]}`, i+2, i, i+1)
		}),
	"50 windows": many(50, func(i int) string {
		return fmt.Sprintf(`{"name":"w%d","metric":"accuracy","stat":"mean","period":"1m","below":0.9}`, i)
	}),
	"6 percentiles": many(6, func(i int) string {
		return fmt.Sprintf(`{"name":"w%d","metric":"accuracy","stat":"p9%d","period":"1h","below":0.9}`, i, i)
	}),
	"windows in composites": many(20, func(i int) string {
		return fmt.Sprintf(`{"name":"w%d","metric":"auc","stat":"mean","period":"1m","below":0.9,"condition":true}`, i)
	}) + `,{"name":"now","metric":"accuracy","below":0.9,"condition":true},` + many(20, func(i int) string {
		return fmt.Sprintf(`{"name":"c%d","severity":"warning","any_of":["now","w%d"]}`, i, i)
	}),
	"a dry run without cooldown": `{"metric":"accuracy","below":0.9}`,
}

func costlyPolicy(t testing.TB, name string) policy.Policy {
	extra := ""
	if strings.HasPrefix(name, "a dry run") {
		extra = `,"dry_run":true,"cooldown":"0s"`
	}
	return policyOf(t, `{"rules":[`+costlyPolicies[name]+`]`+extra+`}`)
}

// costlyPayloads are signals that make much work of few bytes; each element is
// numbered, so that it can name something new.
var costlyPayloads = map[string]func(i int) string{
	"breaching":            func(int) string { return `{"model_name":"fraud","accuracy":0}` },
	"breaching, a version": func(i int) string { return fmt.Sprintf(`{"model_name":"fraud","accuracy":0,"model_version":"%d"}`, i) },
	"two versions": func(i int) string {
		return fmt.Sprintf(`{"model_name":"fraud","accuracy":0,"model_version":"%d"}`, i%2)
	},
	"a new metric":     func(i int) string { return fmt.Sprintf(`{"model_name":"fraud","metrics":{"%d":1}}`, i) },
	"nothing measured": func(int) string { return `{"model_name":"fraud"}` },
	"64 metrics": func(i int) string {
		return `{"model_name":"fraud","metrics":{` + many(64, func(j int) string { return fmt.Sprintf(`"%d":1`, i%3*64+j) }) + `}}`
	},
	"65 metrics": func(int) string {
		return `{"model_name":"fraud","metrics":{` + many(65, func(j int) string { return fmt.Sprintf(`"%d":1`, j) }) + `}}`
	},
	"empty objects":   func(int) string { return `{}` },
	"nothing":         func(int) string { return `` },
	"numbers":         func(int) string { return `7` },
	"strays":          func(int) string { return `{"model_name":"x"}` },
	"from the future": func(int) string { return `{"model_name":"fraud","timestamp":9e9}` },
	"unknown fields":  func(i int) string { return fmt.Sprintf(`{"%d":1,"x":2,"y":3}`, i) },
	"escapes":         func(int) string { return `{"model_name":"\u0066raud"}` },
	"long numbers":    func(int) string { return `{"model_name":"fraud","latency_ms":1.2345678901234567890123e-7}` },
	"bare NaN":        func(int) string { return `{"model_name":"fraud","accuracy":NaN}` },
	"timestamps": func(i int) string {
		return fmt.Sprintf(`{"model_name":"fraud","timestamp":"2026-03-01 10:%02d:%02d+0100","accuracy":0}`, i/60%60, i%60)
	},
	"deep":         func(int) string { return strings.Repeat("[", 100) + strings.Repeat("]", 100) },
	"a local time": func(int) string { return `{"model_name":"fraud","timestamp":"2026-03-01 10:00"}` },
}

// BenchmarkCost prints what the worst inputs that are known cost a byte, and a step
// of Machine.Work.
func BenchmarkCost(b *testing.B) {
	for policyName := range costlyPolicies {
		for payloadName, element := range costlyPayloads {
			payload := []byte("[" + many(5000, element) + "]")
			b.Run(policyName+"/"+payloadName, func(b *testing.B) {
				m := newMachine(costlyPolicy(b, policyName))
				now, bytes := noon, 0
				before, spentBefore := m.Work(), toll.Spent()
				for b.Loop() {
					now = now.Add(time.Millisecond)
					m.TakeEvents(now, payload)
					m.Tick(now)
					bytes += len(payload)
				}
				work, cost := m.Work()-before, float64((toll.Spent() - spentBefore).Nanoseconds())
				b.ReportMetric(cost/float64(bytes), "ns/byte")
				b.ReportMetric(cost/float64(work), "ns/step")
				b.ReportMetric(float64(work)/float64(bytes), "steps/byte")
				require.Positive(b, m.Status(now).Events+m.Status(now).Rejected)
			})
		}
	}
}

// What a signal may cost at most, in steps of Machine.Work: maxWorkPerByte for each
// byte under the costliest policy that is accepted, 11 at most in what is known
// (go test -run='^$' -bench=Cost ./monitor), and signalWork beside that, for the
// explanation of five refused elements.
const (
	maxWorkPerByte = 16
	signalWork     = 15_000
)

// Composites may hold one another many times over: two to the power of 30 ways lead
// from the last of these to the first.
func TestCompositesCostNoMoreThanTheirNumber(t *testing.T) {
	wanted := policyOf(t, `{"verify":{},"rules":[`+costlyPolicies["composites of the two before"]+`,{"name":"last","all_of":["c48","c47"]}]}`)
	assert.Empty(t, wanted.Unverifiable())

	m := newMachine(wanted)
	m.Observe(noon, reading(noon, "v1", metric.Accuracy, 0.5))
	decisions := m.Status(noon).Decisions
	assert.Equal(t, policy.Triggered, decisions[len(decisions)-1].Kind)
	assert.Contains(t, decisions[len(decisions)-1].Reason, "accuracy 0.5000 below threshold 0.9000; accuracy 0.5000 below threshold 0.8000")
}

// FuzzCost looks for signals that cost more than their bytes: for more elements,
// versions and metrics than it counts, and for what is explained.
func FuzzCost(f *testing.F) {
	names := slices.Sorted(maps.Keys(costlyPolicies))
	for i, payload := range slices.Sorted(maps.Keys(costlyPayloads)) {
		f.Add(uint8(i), false, []byte("["+many(20, costlyPayloads[payload])+"]"))
	}
	f.Add(uint8(0), true, []byte(`{"model_name":"fraud","publisher":"p","sequence":1,"digests":[{},null,{"metrics":{"a":{},"b":null}}]}`))
	f.Fuzz(func(t *testing.T, policy uint8, isBatch bool, payload []byte) {
		m := newMachine(costlyPolicy(t, names[int(policy)%len(names)]))
		for range 3 {
			before := m.Work()
			if isBatch {
				m.TakeBatch(noon, payload)
			} else {
				m.TakeEvents(noon, payload)
			}
			m.Tick(noon)
			if work, most := m.Work()-before, int64(signalWork+maxWorkPerByte*len(payload)); work > most {
				t.Fatalf("%d bytes make work of %d steps, of at most %d", len(payload), work, most)
			}
		}
	})
}

// FuzzDecoders holds what is decoded without a machine against what it allocates:
// policies, operators' words, outcomes, batches, events and states.
func FuzzDecoders(f *testing.F) {
	for _, rules := range costlyPolicies {
		f.Add([]byte(`{"rules":[` + rules + `]}`))
	}
	f.Add([]byte(`{"by":"ada","reason":"because","force":true}`))
	f.Add([]byte(`{"rules":[{},{},{},{},{},{}],"blackout":[{},{}],"notify":[{},{}],"x":{},"y":[]}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		most := toll.Most{BytesPerByte: 2500, Bytes: 64 << 10, WorkPerByte: 20_000, Work: 64 << 20}
		for _, decode := range []func(){
			func() { _, _ = policy.Decode(payload) },
			func() { _, _ = retraining.DecodeControl(payload) },
			func() { _, _ = retraining.DecodeOutcome(payload) },
			func() { _, _ = metric.DecodeBatch(payload) },
			func() { _, _ = monitor.DecodeEvents(payload, noon) },
			func() { _, _ = monitor.DecodeState(payload) },
		} {
			most.Hold(t, len(payload), decode)
		}
	})
}
