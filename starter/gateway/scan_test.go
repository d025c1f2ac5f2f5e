package gateway

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/modelvigil/modelvigil/monitor"
)

const usual = `{"timestamp":"2026-11-23T14:05:00.123456Z","model_name":"fraud","model_version":"v7","accuracy":0.9312345678901234,"latency_ms":84.5,"drift_score":0.02}`

func TestTheUsualFormsAreScanned(t *testing.T) {
	for name, event := range map[string]string{
		"all of it":                      usual,
		"as Python writes it":            `{"timestamp": "2026-11-23T14:05:00.123456+00:00", "model_name": "fraud", "model_version": "v7", "accuracy": 0.93, "latency_ms": 84, "metrics": {"auc": 0.91, "f1": 1e-3}}`,
		"readings that were not taken":   `{"model_name":"fraud","accuracy":null,"latency_ms":null,"drift_score":null}`,
		"a name beyond ASCII":            `{"model_name":"Betrug-größer","accuracy":1}`,
		"no further metrics":             `{"model_name":"fraud","metrics":{}}`,
		"blanks, also at the line's end": " {\t\"model_name\" : \"fraud\" , \"accuracy\" : 1 } \r",
		"the largest number":             `{"model_name":"fraud","accuracy":1.7976931348623157e308}`,
		"a negative nothing":             `{"model_name":"fraud","accuracy":-0.0,"drift_score":-0}`,
	} {
		t.Run(name, func(t *testing.T) {
			assert.True(t, newDecoder().scan([]byte(event)), "must need no strict decoder")
			assertAgrees(t, newDecoder(), []byte(event))
		})
	}
}

// unusual are events that only the strict decoder may judge.
var unusual = []string{
	`{}`, ``, ` `, `null`, `[]`, `"x"`, `{"model_name":"a"`, `{"model_name":"a"}}`, `{"model_name":"a"}{}`, `{"model_name":"a",}`, `{,"model_name":"a"}`,
	`{"model_name":"a\u0062"}`, `{"model_name":null}`, `{"model_name":"a","model_name":"b"}`, `{"MODEL_NAME":"a"}`, `{"model_name":"a","Accuracy":1}`,
	`{"model_name":"a","acuracy":1}`, `{"model_name":1}`, `{"model_name":"` + "\xff" + `"}`, "{\"model_name\":\"a\nb\"}", `{"model_name":"a","timestamp":null}`,
	`{"model_name":"a","timestamp":"2026-11-23"}`, `{"model_name":"a","timestamp":"2026-11-23T24:00:00Z"}`,
	`{"model_name":"a","timestamp":"2026-11-23t14:05:00z"}`,
	`{"model_name":"a","timestamp":1700000000}`, `{"model_name":"a","timestamp":"\u0032026-11-23T14:05:00Z"}`,
	`{"model_name":"a","accuracy":01}`, `{"model_name":"a","accuracy":1.}`, `{"model_name":"a","accuracy":.5}`, `{"model_name":"a","accuracy":+1}`, `{"model_name":"a","accuracy":-}`,
	`{"model_name":"a","accuracy":1e}`, `{"model_name":"a","accuracy":1e400}`, `{"model_name":"a","accuracy":NaN}`, `{"model_name":"a","accuracy":"1"}`, `{"model_name":"a","accuracy":0x1}`,
	`{"model_name":"a","accuracy":1_0}`, `{"model_name":"a","accuracy":nullx}`, `{"model_name":"a","accuracy":true}`, `{"model_name":"a","accuracy":1 1}`, `{"model_name":"a","accuracy":1e5.5}`,
	`{"model_name":"a","metrics":null}`, `{"model_name":"a","metrics":{"x":null}}`, `{"model_name":"a","metrics":{"x":1,"x":2}}`, `{"model_name":"a","metrics":{"x":1,}}`,
	`{"model_name":"a","metrics":[1]}`, `{"model_name":"a","metrics":{"x":"1"}}`, `{"model_name":"a","metrics":{"\u0078":1}}`, `{"model_name":"a","metrics":{"x":{"y":1}}}`, "\ufeff" + usual,
}

// further are events that are scanned, and must read as by the strict decoder.
var further = []string{
	`{"model_name":"a","timestamp":"2026-11-23T1:05:00Z"}`,
	`{"model_name":"a","timestamp":"2026-11-23T14:05:00+24:00"}`,
	`{"model_name":"a","timestamp":"2026-11-23T14:05:00,5Z"}`,
	`{"model_name":"a","timestamp":"2026-11-23T14:05:00+05:30"}`, `{"model_name":"a","timestamp":"0001-01-01T00:00:00Z"}`, `{"model_name":"a","timestamp":"9999-12-31T23:59:59.999999999-23:59"}`,
	`{"model_name":"","accuracy":0.1}`, `{"model_name":"a","metrics":{"":1}}`, `{"accuracy":123456789012345}`, `{"accuracy":1234567890123456}`, `{"accuracy":0.000000000000001}`,
	`{"accuracy":0.0000000000000001}`, `{"accuracy":9007199254740993}`, `{"accuracy":-1.5E+3}`, `{"accuracy":5e-324}`, `{"accuracy":2e-324}`, `{"accuracy":123456789.012345}`,
}

func TestScanNeverDisagreesWithTheStrictDecoder(t *testing.T) {
	d := newDecoder() // one for all: nothing of an event may stay behind
	for _, event := range append(append([]string{usual}, unusual...), further...) {
		assertAgrees(t, d, []byte(event))
	}
	for _, event := range unusual {
		assert.False(t, d.scan([]byte(event)), event)
	}
}

func TestNumbersAreReadToTheLastBit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.Float64().Filter(func(v float64) bool { return !math.IsInf(v, 0) && !math.IsNaN(v) }).Draw(t, "value")
		encoded, err := json.Marshal(value)
		require.NoError(t, err)
		text := rapid.SampledFrom([]string{string(encoded), rapid.StringMatching(`-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?`).Draw(t, "decimal")}).Draw(t, "text")
		assertAgrees(t, newDecoder(), []byte(`{"accuracy":`+text+`}`))
	})
}

// Events put together from good and bad parts, in any order and as often as it comes.
func TestScanAgreesOnWhateverIsPutTogether(t *testing.T) {
	blank := rapid.SampledFrom([]string{"", "", "", " ", "\t", "\r\n"})
	number := rapid.OneOf(rapid.SampledFrom([]string{"0", "-0", "1e5", "0.25", "-3", "null", "1.", "01", ".5", "1e", "1e999", "-", "true", `"1"`, "{}", "1 2"}),
		rapid.StringMatching(`-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?`))
	text := rapid.OneOf(rapid.SampledFrom([]string{`"fraud"`, `""`, `"ä"`, `"a\u0041"`, `"\n"`, "\"\x01\"", "\"\xff\"", "null", "1", `"a`, `"2026-01-02T03:04:05Z"`}),
		rapid.StringMatching(`"[0-9]{4}-[01][0-9]-[0-3][0-9][Tt ][0-2][0-9]:[0-5][0-9]:[0-6][0-9]([.,][0-9]{1,9})?(Z|z|[+-][0-2][0-9]:[0-5][0-9])?"`))
	key := rapid.SampledFrom([]string{`"timestamp"`, `"model_name"`, `"model_version"`, `"accuracy"`, `"latency_ms"`, `"drift_score"`, `"metrics"`, `"Accuracy"`, `"x"`, `accuracy`})
	d := newDecoder()
	rapid.Check(t, func(t *rapid.T) {
		field := func(key string, value string) string {
			return blank.Draw(t, "blank") + key + blank.Draw(t, "blank") + ":" + blank.Draw(t, "blank") + value + blank.Draw(t, "blank")
		}
		fields := func(most int, one func() string) string {
			all := make([]string, rapid.IntRange(0, most).Draw(t, "fields"))
			for i := range all {
				all[i] = one()
			}
			return "{" + strings.Join(all, ",") + "}"
		}
		for range 20 {
			event := fields(7, func() string {
				name := key.Draw(t, "key")
				switch {
				case rapid.IntRange(0, 19).Draw(t, "odd") == 0:
					return field(name, rapid.OneOf(number, text).Draw(t, "value"))
				case name == `"metrics"`:
					return field(name, fields(3, func() string {
						return field(rapid.SampledFrom([]string{`"auc"`, `"f1"`, `""`, `"accuracy"`}).Draw(t, "name"), number.Draw(t, "value"))
					}))
				case name == `"timestamp"` || strings.HasPrefix(name, `"model`):
					return field(name, text.Draw(t, "value"))
				}
				return field(name, number.Draw(t, "value"))
			})
			assertAgrees(t, d, []byte(event))
		}
	})
}

func FuzzScan(f *testing.F) {
	for _, event := range append(append([]string{usual}, unusual...), further...) {
		f.Add([]byte(event))
	}
	d := newDecoder()
	f.Fuzz(func(t *testing.T, event []byte) { assertAgrees(t, d, event) })
}

type failing interface {
	Helper()
	Errorf(format string, args ...any)
	FailNow()
}

// assertAgrees holds a decoder against encoding/json, by which monitor reads events.
func assertAgrees(t failing, d *decoder, event []byte) {
	if !d.scan(event) {
		return
	}
	var strict monitor.MetricEvent
	require.NoError(t, json.Unmarshal(event, &strict), "%q", event)
	require.Equal(t, strict, d.event, "%q", event)
	for _, readings := range [][2]monitor.Reading{{strict.Accuracy, d.event.Accuracy}, {strict.LatencyMS, d.event.LatencyMS}, {strict.DriftScore, d.event.DriftScore}} {
		require.Equal(t, math.Signbit(readings[0].Or(0)), math.Signbit(readings[1].Or(0)), "%q", event)
	}
}

// What decode says of an event is what DecodeEvents says of it, word for word.
func TestDecodeAcceptsAndRefusesAsMonitorDoes(t *testing.T) {
	now := time.Now()
	for _, item := range append(append([]string{usual}, unusual...), further...) {
		if strings.HasPrefix(item, "[") {
			continue // a list of events is no event
		}
		strict, faults := monitor.DecodeEvents([]byte(item), now)
		event, err := newDecoder().decode([]byte(item), now, true)
		if err == nil {
			err = event.Validate(now) // as the hub does
		}
		if len(faults) > 0 {
			require.EqualError(t, err, faults[0].Err.Error(), item)
		} else {
			require.NoError(t, err, item)
			require.Equal(t, strict[0], *event, item)
		}
	}
}

func TestScanAllocatesNothing(t *testing.T) {
	d, event := newDecoder(), []byte(usual)
	with := []byte(`{"model_name":"fraud","model_version":"v8","metrics":{"auc":0.91,"f1":0.88}}`)
	require.True(t, d.scan(event) && d.scan(with))
	assert.Zero(t, testing.AllocsPerRun(100, func() { d.scan(event); d.scan(with) }))
}

func BenchmarkScan(b *testing.B) { // against BenchmarkStrict: what the gateway gains by it
	d, event := newDecoder(), []byte(usual)
	b.ReportAllocs()
	b.SetBytes(int64(len(event)))
	for b.Loop() {
		if !d.scan(event) {
			b.Fatal("not scanned")
		}
	}
}

func BenchmarkStrict(b *testing.B) {
	event, now := []byte(usual), time.Now()
	b.ReportAllocs()
	b.SetBytes(int64(len(event)))
	for b.Loop() {
		if events, _ := monitor.DecodeEvents(event, now); len(events) != 1 {
			b.Fatal("not decoded")
		}
	}
}
