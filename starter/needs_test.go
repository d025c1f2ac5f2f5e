package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What people ask of a policy in plain words, each said in the policy language and
// held against a recording in which it must act at the instants named here, and at
// no other. Times count from Monday, 2026-03-02 00:00 UTC, as in docs/policies.md.
func TestWhatPeopleAskInPlainWordsIsSaidInAPolicy(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "modelvigil")
	out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput()
	require.NoError(t, err, string(out))

	needs := map[string]struct {
		policy    string
		recording func(*needRecording)
		wanted    []string // decisions but successes: when, what, by which rule, of which version
	}{
		"3 of my 40 features": {
			policy: threeOfFortyFeatures(),
			recording: func(r *needRecording) {
				for hour := range 8 {
					scores := map[string]float64{}
					for feature := range 40 {
						scores[fmt.Sprintf("drift_%02d", feature+1)] = 0.1
					}
					if hour == 2 || hour == 4 {
						scores["drift_07"] = 0.6
						scores["drift_40"] = 0.6
					}
					if hour == 4 {
						scores["drift_23"] = 0.6
					}
					r.add(at(0, hour, 10), scores)
				}
			},
			wanted: []string{"0d 05:00:30 triggered by inputs drift of v1"},
		},

		"the week begins on Monday, here": {
			policy: `
rules:
  - {name: bad week, metric: accuracy, stat: mean, below: 0.90, period: 168h, offset: 96h, zone: Europe/Berlin}
`,
			recording: func(r *needRecording) {
				r.every(time.Hour, 0, at(27, 22, 0), func(time.Duration) map[string]float64 { return map[string]float64{"accuracy": 0.95} })
				r.times(100, at(13, 23, 30), map[string]float64{"accuracy": 0.5}) // the third Monday, 00:30 in Berlin
				r.times(100, at(27, 21, 30), map[string]float64{"accuracy": 0.5}) // Sunday, 23:30 in Berlin, where it is summer since the morning
				r.times(1, at(27, 22, 30), map[string]float64{"accuracy": 0.95})
			},
			wanted: []string{
				"20d 23:00:30 triggered by bad week of v1",
				"27d 22:00:30 triggered by bad week of v1",
			},
		},

		"against its first month": {
			policy: `
rules:
  - {name: decay, metric: accuracy, stat: mean, period: 24h, below_baseline_by: "3%", baseline: {period: 720h}}
`,
			recording: func(r *needRecording) {
				days := map[int]float64{10: 0.80, 33: 0.872, 35: 0.868} // 0.8967 is the first month's mean, 0.8698 is 3 % less
				r.every(time.Hour, at(0, 0, 10), at(40, 0, 0), func(after time.Duration) map[string]float64 {
					accuracy, isOdd := days[int(after/(24*time.Hour))]
					if !isOdd {
						accuracy = 0.90
					}
					return map[string]float64{"accuracy": accuracy}
				})
			},
			wanted: []string{"36d 00:00:30 triggered by decay of v1"},
		},

		"against the last four weeks, the same hour": {
			policy: `
rules:
  - name: slower than usual
    metric: latency_ms
    stat: mean
    period: 1h
    above_baseline_by: "20%"
    baseline: {from: trailing, periods: 4, season: 168h}
`,
			recording: func(r *needRecording) {
				odd := map[time.Duration]float64{
					at(2, 3, 30):   300, // in the first month nothing is known yet
					at(29, 3, 30):  500, // Tuesday night, of which one week is lacking
					at(29, 12, 30): 230, // Tuesday noon, usually 200
					at(30, 3, 30):  170, // Wednesday night: 150 is the mean of 300 and three times 100
					at(31, 3, 30):  130, // Thursday night, usually 100
					at(33, 12, 30): 130, // Saturday noon, usually 100, too
				}
				r.every(time.Hour, at(0, 0, 30), at(35, 0, 0), func(after time.Duration) map[string]float64 {
					day, hour := int(after/(24*time.Hour))%7, int(after%(24*time.Hour)/time.Hour)
					latency := 100.0
					if day < 5 && hour >= 9 && hour < 17 {
						latency = 200
					}
					if other, isOdd := odd[after]; isOdd {
						latency = other
					}
					if after == at(8, 3, 30) {
						return nil // an outage of the model
					}
					return map[string]float64{"latency_ms": latency}
				})
			},
			wanted: []string{
				"31d 04:00:30 triggered by slower than usual of v1",
				"33d 13:00:30 triggered by slower than usual of v1",
			},
		},

		"not if the volume halved": {
			policy: `
rules:
  - {name: low, metric: accuracy, stat: mean, below: 0.90, period: 1h, condition: true}
  - {name: halved, metric: accuracy, stat: count, period: 1h, below_baseline_by: "50%", baseline: {from: trailing, periods: 24}, condition: true}
  - {name: not halved, not: halved, condition: true}
  - {name: decay, all_of: [low, not halved]}
`,
			recording: func(r *needRecording) {
				low := map[int]int{5: 20, 26: 20, 28: 9, 30: 10} // hours of low accuracy, and how many events they have
				for hour := range 36 {
					events, isLow := low[hour]
					accuracy := 0.80
					if !isLow {
						events = 20
						accuracy = 0.95
					}
					for i := range events {
						r.add(at(0, hour, 3*i), map[string]float64{"accuracy": accuracy})
					}
				}
			},
			wanted: []string{
				"1d 03:00:30 triggered by decay of v1",
				"1d 07:00:30 triggered by decay of v1", // exactly half is not less than half
			},
		},

		"is the new version worse than the old one was last": {
			policy: `
rules:
  - name: worse
    metric: accuracy
    stat: mean
    period: 1h
    min_samples: 50
    below_baseline_by: 0.05
    baseline: {from: replaced, samples: 200}
`,
			recording: func(r *needRecording) {
				for hour := range 10 {
					accuracy := 0.95
					if hour >= 5 {
						accuracy = 0.88 // what it was last
					}
					r.times(100, at(0, hour, 5), map[string]float64{"accuracy": accuracy})
				}
				r.version = "canary"
				r.times(10, at(0, 8, 30), map[string]float64{"accuracy": 0.99}) // which is given up
				r.version = "v2"
				r.times(60, at(0, 10, 20), map[string]float64{"accuracy": 0.84})
				r.times(60, at(0, 11, 20), map[string]float64{"accuracy": 0.82})
				r.times(60, at(0, 12, 20), map[string]float64{"accuracy": 0.84})
			},
			wanted: []string{"0d 12:00:30 triggered by worse of v2"},
		},

		"after 50,000 new labels": {
			policy: `
rules:
  - {name: labels, metric: accuracy, new_readings: 50000}
`,
			recording: func(r *needRecording) {
				r.every(time.Minute, 0, at(12, 0, 0), func(time.Duration) map[string]float64 { return map[string]float64{"latency_ms": 20} })
				r.every(10*time.Second, 0, 100_001*10*time.Second, func(time.Duration) map[string]float64 { return map[string]float64{"accuracy": 0.95} })
			},
			wanted: []string{
				"5d 18:53:10 triggered by labels of v1", // 49,999 times 10 s after the first
				"11d 13:46:30 triggered by labels of v1",
			},
		},

		"each Monday at 03:00 unless all is well": {
			policy: `
rules:
  - {name: low, metric: accuracy, stat: mean, below: 0.90, period: 24h, zone: Europe/Berlin, condition: true}
  - {name: slow, metric: latency_ms, stat: p95, above: 250, period: 24h, zone: Europe/Berlin, condition: true}
  - {name: amiss, any_of: [low, slow], condition: true}
  - {name: monday, schedule: "0 3 * * MON", zone: Europe/Berlin, condition: true}
  - {name: weekly, all_of: [monday, amiss]}
`,
			recording: func(r *needRecording) {
				r.every(time.Hour, at(0, 0, 30), at(36, 0, 0), func(after time.Duration) map[string]float64 {
					readings := map[string]float64{"accuracy": 0.95, "latency_ms": 100}
					switch day := int((after + time.Hour) / (24 * time.Hour)); day { // in Berlin, in winter
					case 2, 27: // a Wednesday, and the Sunday on which clocks are put forward
						readings["accuracy"] = 0.80
					case 13: // a Sunday
						readings["latency_ms"] = 400
					}
					return readings
				})
			},
			wanted: []string{
				"14d 02:00:00 triggered by weekly of v1",
				"28d 01:00:00 triggered by weekly of v1", // it is summer in Berlin
			},
		},

		"page for this rule only": {
			policy: `
rules:
  - {name: slow, metric: latency_ms, stat: mean, above: 200, period: 1h}
  - {name: low, metric: accuracy, stat: mean, below: 0.90, period: 1h}
notify:
  - {channel: chat}
  - {channel: pager, kinds: [triggered], rules: [slow]}
`,
			recording: func(r *needRecording) {
				r.times(10, at(0, 0, 10), map[string]float64{"accuracy": 0.80, "latency_ms": 100})
				r.times(10, at(0, 2, 10), map[string]float64{"accuracy": 0.95, "latency_ms": 300})
				r.times(10, at(0, 4, 10), map[string]float64{"accuracy": 0.95, "latency_ms": 100})
			},
			wanted: []string{
				"0d 01:00:30 triggered by low of v1",
				"0d 03:00:30 triggered by slow of v1",
			},
		},

		"the 95th percentile of latency over an hour, 3 of 5": {
			policy: `
rules:
  - {name: slow, metric: latency_ms, stat: p95, above: 300, period: 1h, datapoints: {breaching: 3, of: 5}}
`,
			recording: func(r *needRecording) {
				slow := []int{0, 1, 5, 6, 7} // 3 of 5 are first together in the hours from 3 to 7
				for hour := range 16 {
					isSlow := 5 // of 100: the 95th is not among them
					if slices.Contains(slow, hour) {
						isSlow = 6
					}
					r.times(100-isSlow, at(0, hour, 10), map[string]float64{"latency_ms": 100})
					r.times(isSlow, at(0, hour, 40), map[string]float64{"latency_ms": 400})
				}
			},
			wanted: []string{"0d 08:00:30 triggered by slow of v1"},
		},
	}
	for need, test := range needs {
		t.Run(need, func(t *testing.T) {
			folder := t.TempDir()
			recording := needRecording{version: "v1"}
			test.recording(&recording)
			require.NoError(t, os.WriteFile(filepath.Join(folder, "policy.yaml"), []byte(test.policy), 0o600))
			require.NoError(t, os.WriteFile(filepath.Join(folder, "metrics.csv"), recording.csv(), 0o600))

			var stdout, stderr bytes.Buffer
			command := exec.CommandContext(t.Context(), binary, "backtest", "policy.yaml", "--events", "metrics.csv", "--model", "fraud", "-o", "json")
			command.Dir, command.Env = folder, clean(t)
			command.Stdout, command.Stderr = &stdout, &stderr
			require.NoError(t, command.Run(), stderr.String())

			require.Empty(t, stderr.String())
			answer := jsonOf(t, stdout.String())
			require.Len(t, answer.Results, 1)
			assert.Zero(t, answer.RejectedRows)
			assert.Equal(t, test.wanted, needDecisions(t, answer.Results[0].Decisions))
		})
	}
}

// threeOfFortyFeatures has a rule for each feature, and one that counts them.
func threeOfFortyFeatures() string {
	var policy strings.Builder
	var names []string
	policy.WriteString("rules:\n")
	for feature := range 40 {
		name := fmt.Sprintf("drift_%02d", feature+1)
		names = append(names, name)
		fmt.Fprintf(&policy, "  - {metric: %s, stat: mean, above: 0.3, period: 1h, condition: true}\n", name)
	}
	fmt.Fprintf(&policy, "  - {name: inputs drift, at_least: 3, of: [%s]}\n", strings.Join(names, ", "))

	return policy.String()
}

// needStart is what times in a recording count from.
var needStart = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// at is how long after the start of a recording it is this day, hour and minute.
func at(day, hour, minute int) time.Duration {
	return time.Duration(day)*24*time.Hour + time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute
}

// needRecording is a recording of one model in the making.
type needRecording struct {
	version string // of what is added next
	rows    []needRow
}

type needRow struct {
	at       time.Duration
	version  string
	readings map[string]float64
}

// add adds one event, or none where there are no readings.
func (r *needRecording) add(after time.Duration, readings map[string]float64) {
	if readings != nil {
		r.rows = append(r.rows, needRow{at: after, version: r.version, readings: readings})
	}
}

// times adds so many events of one instant.
func (r *needRecording) times(events int, after time.Duration, readings map[string]float64) {
	for range events {
		r.add(after, readings)
	}
}

// every adds an event each interval from one instant to before another.
func (r *needRecording) every(interval, from, to time.Duration, readings func(time.Duration) map[string]float64) {
	for after := from; after < to; after += interval {
		r.add(after, readings(after))
	}
}

// csv is the recording as a file, in order of time.
func (r *needRecording) csv() []byte {
	slices.SortStableFunc(r.rows, func(a, b needRow) int { return int(a.at - b.at) })
	measured := map[string]bool{}
	for _, row := range r.rows {
		for column := range row.readings {
			measured[column] = true
		}
	}
	columns := slices.Sorted(maps.Keys(measured))

	var file bytes.Buffer
	fmt.Fprintf(&file, "timestamp,model_version,%s\n", strings.Join(columns, ","))
	for _, row := range r.rows {
		fmt.Fprintf(&file, "%s,%s", needStart.Add(row.at).Format(time.RFC3339), row.version)
		for _, column := range columns {
			file.WriteByte(',')
			if reading, isThere := row.readings[column]; isThere {
				fmt.Fprint(&file, reading)
			}
		}
		file.WriteByte('\n')
	}

	return file.Bytes()
}

// needDecisions are the decisions but successes, as the tests write them.
func needDecisions(t *testing.T, decisions []map[string]any) (said []string) {
	t.Helper()
	for _, d := range decisions {
		if d["kind"] == "succeeded" {
			continue
		}

		when, err := time.Parse(time.RFC3339, d["at"].(string))
		require.NoError(t, err)
		after := when.Sub(needStart)
		day := after / (24 * time.Hour)
		clock := needStart.Add(after % (24 * time.Hour)).Format("15:04:05.999")
		said = append(said, fmt.Sprintf("%dd %s %s by %s of %s", day, clock, d["kind"], d["rule"], d["model_version"]))
	}

	return said
}
