package metric

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/modelvigil/modelvigil/internal/toll"
)

const usual = `{"timestamp":"2026-11-23T14:05:00.123456Z","model_name":"fraud","model_version":"v7","accuracy":0.9312345678901234,"latency_ms":84.5,"drift_score":0.02}`

// Whatever is written, a reader takes exactly the events that encoding/json can be
// made to take, and reads the same of them.
func TestAReaderAgreesWithEncodingJSON(t *testing.T) {
	d := new(EventReader) // one for all: nothing of an event may stay behind
	for _, event := range slices.Concat([]string{usual}, odd, oddCategories, further) {
		assertAgrees(t, d, []byte(event))
	}
	for _, event := range append([]string{usual}, further...) {
		assert.True(t, d.scan([]byte(event)), event)
	}
}

// odd are good and bad events in forms that few write.
var odd = []string{
	`{}`, ``, ` `, `null`, `[]`, `"x"`, `{"model_name":"a"`, `{"model_name":"a"}}`, `{"model_name":"a"}{}`, `{"model_name":"a",}`, `{,"model_name":"a"}`,
	`{"model_name":"a\u0062"}`, `{"model_name":null}`, `{"model_name":"a","model_name":"b"}`, `{"MODEL_NAME":"a"}`, `{"model_name":"a","Accuracy":1}`,
	`{"model_name":"a","acuracy":1}`, `{"model_name":1}`, `{"model_name":"` + "\xff" + `"}`, "{\"model_name\":\"a\nb\"}", `{"model_name":"a","timestamp":null}`,
	`{"model_name":"a","timestamp":"2026-11-23"}`, `{"model_name":"a","timestamp":"2026-11-23T24:00:00Z"}`,
	`{"model_name":"a","timestamp":"2026-11-23t14:05:00z"}`,
	`{"model_name":"a","timestamp":1700000000}`, `{"model_name":"a","timestamp":"\u0032026-11-23T14:05:00Z"}`,
	`{"model_version":7}`, `{"model_version":-7.10}`, `{"model_version":1e999}`, `{"model_version":07}`, `{"model_version":true}`, `{"model_version":["7"]}`, `{"model_version":{}}`,
	`{"model_name":"a","accuracy":01}`, `{"model_name":"a","accuracy":1.}`, `{"model_name":"a","accuracy":.5}`, `{"model_name":"a","accuracy":+1}`, `{"model_name":"a","accuracy":-}`,
	`{"model_name":"a","accuracy":1e}`, `{"model_name":"a","accuracy":1e400}`, `{"model_name":"a","accuracy":NaN}`, `{"model_name":"a","accuracy":"1"}`, `{"model_name":"a","accuracy":0x1}`,
	`{"model_name":"a","accuracy":1_0}`, `{"model_name":"a","accuracy":nullx}`, `{"model_name":"a","accuracy":true}`, `{"model_name":"a","accuracy":1 1}`, `{"model_name":"a","accuracy":1e5.5}`,
	`{"model_name":"a","metrics":null}`, `{"model_name":"a","metrics":{"x":null}}`, `{"model_name":"a","metrics":{"x":1,"x":2}}`, `{"model_name":"a","metrics":{"x":1,}}`,
	`{"model_name":"a","metrics":[1]}`, `{"model_name":"a","metrics":{"x":"1"}}`, `{"model_name":"a","metrics":{"\u0078":1}}`, `{"model_name":"a","metrics":{"x":{"y":1}}}`, "\ufeff" + usual,
}

// oddCategories are good and bad events whose categories are in forms that few write.
var oddCategories = []string{
	`{"model_name":"a","categories":null}`, `{"model_name":"a","categories":{"x":null}}`, `{"model_name":"a","categories":{"x":"1","x":"2"}}`, `{"model_name":"a","categories":{"x":"1",}}`,
	`{"model_name":"a","categories":["x"]}`, `{"model_name":"a","categories":{"x":1}}`, `{"model_name":"a","categories":{"x":""}}`, `{"model_name":"a","categories":{"x":true}}`,
	`{"model_name":"a","categories":{"x":{"y":"z"}}}`, `{"model_name":"a","categories":{"x":"a"},"categories":{}}`,
}

// further are good ones.
var further = []string{
	`{"model_name":"a","timestamp":"2026-11-23T1:05:00Z"}`,
	`{"model_name":"a","timestamp":"2026-11-23T14:05:00+24:00"}`,
	`{"model_name":"a","timestamp":"2026-11-23T14:05:00,5Z"}`,
	`{"model_name":"a","timestamp":"2026-11-23T14:05:00+05:30"}`, `{"model_name":"a","timestamp":"0001-01-01T00:00:00Z"}`, `{"model_name":"a","timestamp":"9999-12-31T23:59:59.999999999-23:59"}`,
	`{"model_name":"","accuracy":0.1}`, `{"model_name":"a","metrics":{"":1}}`, `{"accuracy":123456789012345}`, `{"accuracy":1234567890123456}`, `{"accuracy":0.000000000000001}`,
	`{"accuracy":0.0000000000000001}`, `{"accuracy":9007199254740993}`, `{"accuracy":-1.5E+3}`, `{"accuracy":5e-324}`, `{"categories":{"country":"DE","prediction":"appr\u006fve"}}`, `{"metrics":{"x":1},"categories":{"x":"1"}}`, `{"accuracy":2e-324}`, `{"accuracy":123456789.012345}`,
}

func TestNumbersAreReadToTheLastBit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.Float64().Filter(func(v float64) bool { return !math.IsInf(v, 0) && !math.IsNaN(v) }).Draw(t, "value")
		encoded, err := json.Marshal(value)
		require.NoError(t, err)
		text := rapid.SampledFrom([]string{string(encoded), rapid.StringMatching(`-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?`).Draw(t, "decimal")}).Draw(t, "text")
		assertAgrees(t, new(EventReader), []byte(`{"accuracy":`+text+`}`))
	})
}

// Events put together from good and bad parts, in any order and as often as it comes.
func TestAReaderAgreesWithEncodingJSONOnWhateverIsPutTogether(t *testing.T) {
	blank := rapid.SampledFrom([]string{"", "", "", " ", "\t", "\r\n"})
	number := rapid.OneOf(rapid.SampledFrom([]string{"0", "-0", "1e5", "0.25", "-3", "null", "1.", "01", ".5", "1e", "1e999", "-", "true", `"1"`, "{}", "1 2"}),
		rapid.StringMatching(`-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?`))
	text := rapid.OneOf(rapid.SampledFrom([]string{`"fraud"`, `""`, `"ä"`, `"a\u0041"`, `"\n"`, "\"\x01\"", "\"\xff\"", "null", "1", `"a`, `"2026-01-02T03:04:05Z"`}),
		rapid.StringMatching(`"[0-9]{4}-[01][0-9]-[0-3][0-9][Tt ][0-2][0-9]:[0-5][0-9]:[0-6][0-9]([.,][0-9]{1,9})?(Z|z|[+-][0-2][0-9]:[0-5][0-9])?"`))
	key := rapid.SampledFrom([]string{`"timestamp"`, `"model_name"`, `"model_version"`, `"accuracy"`, `"latency_ms"`, `"drift_score"`, `"metrics"`, `"categories"`, `"Accuracy"`, `"x"`, `accuracy`})
	d := new(EventReader)
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
				case name == `"categories"`:
					return field(name, fields(3, func() string {
						return field(rapid.SampledFrom([]string{`"country"`, `"plan"`, `""`}).Draw(t, "name"), text.Draw(t, "value"))
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

func FuzzEventReader(f *testing.F) {
	for _, event := range slices.Concat([]string{usual}, odd, oddCategories, further) {
		f.Add([]byte(event))
	}
	d := new(EventReader)
	most := toll.Most{BytesPerByte: 1000, Bytes: 256 << 10, WorkPerByte: 5000, Work: 32 << 20}
	f.Fuzz(func(t *testing.T, event []byte) {
		assertAgrees(t, d, event)
		most.Hold(t, len(event), func() { _, _ = d.Read(event) })
	})
}

type failing interface {
	Helper()
	Errorf(format string, args ...any)
	FailNow()
}

// assertAgrees holds a reader against encoding/json.
func assertAgrees(t failing, d *EventReader, data []byte) {
	t.Helper()
	want, wantErr := byEncodingJSON(data)
	isEvent := d.scan(data)
	require.Equal(t, wantErr == nil, isEvent, "%q: %v", data, wantErr)
	if !isEvent {
		require.Error(t, explainEvent(data), "%q", data)
		return
	}

	require.Equal(t, want, d.event, "%q", data)
	for _, readings := range [][2]Reading{{want.Accuracy, d.event.Accuracy}, {want.LatencyMS, d.event.LatencyMS}, {want.DriftScore, d.event.DriftScore}} {
		require.Equal(t, math.Signbit(readings[0].Or(0)), math.Signbit(readings[1].Or(0)), "%q", data)
	}
}

// byEncodingJSON reads an event by encoding/json alone: names are exact, unknown
// ones are refused, and so is one that is given twice.
func byEncodingJSON(data []byte) (e Event, err error) {
	if !utf8.Valid(data) {
		return e, errors.New("no UTF-8")
	}
	object, err := members(data)
	if err != nil {
		return e, err
	}
	for name, value := range object {
		isNull := string(value) == "null"
		switch name {
		case "timestamp":
			text := string(value)
			if !isNull && text[0] == '"' {
				err = json.Unmarshal(value, &text)
			} else if !isNull {
				err = json.Unmarshal(value, new(float64))
			}
			if err == nil && !isNull {
				if len(text) == 0 || value[0] == '"' && text[:1] >= "0" && len(text) > 4 && text[4] != '-' {
					_, err = parseUnix(text)
				}
				if err == nil {
					e.Timestamp, err = ParseTimestamp(text, nil)
				}
			}
		case "model_name":
			err = json.Unmarshal(value, &e.ModelName)
		case "model_version":
			var number float64
			if err = json.Unmarshal(value, &number); err == nil && !isNull {
				e.ModelVersion = string(value)
			} else {
				err = json.Unmarshal(value, &e.ModelVersion)
			}
		case Accuracy:
			err = json.Unmarshal(value, &e.Accuracy)
		case LatencyMS:
			err = json.Unmarshal(value, &e.LatencyMS)
		case DriftScore:
			err = json.Unmarshal(value, &e.DriftScore)
		case "metrics":
			e.Metrics, err = metricsByEncodingJSON(value)
		case "categories":
			e.Categories, err = categoriesByEncodingJSON(value)
		default:
			err = errors.New("unknown field " + name)
		}
		if err != nil {
			return e, err
		}
	}
	return e, nil
}

func categoriesByEncodingJSON(data []byte) (map[string]string, error) {
	if string(data) == "null" {
		return nil, nil
	}
	object, err := members(data)
	if err != nil || len(object) > MaxCategories {
		return nil, errors.Join(err, errors.New("or too many"))
	}
	var categories map[string]string
	for name, value := range object {
		var text *string
		err := json.Unmarshal(value, &text)
		switch {
		case err != nil || text != nil && *text == "":
			return nil, errors.Join(err, errors.New("or empty"))
		case text != nil:
			if categories == nil {
				categories = map[string]string{}
			}
			categories[name] = *text
		}
	}
	return categories, nil
}

func metricsByEncodingJSON(data []byte) (map[string]float64, error) {
	if string(data) == "null" {
		return nil, nil
	}
	object, err := members(data)
	if err != nil {
		return nil, err
	}
	if len(object) > MaxExtraMetrics {
		return nil, errors.New("too many")
	}
	metrics := map[string]float64{}
	for name, value := range object {
		var reading Reading
		if err := json.Unmarshal(value, &reading); err != nil {
			return nil, err
		}
		if number, taken := reading.Get(); taken {
			metrics[name] = number
		}
	}
	if len(metrics) == 0 {
		return nil, nil
	}
	return metrics, nil
}

// members are those of an object, each of which is given once.
func members(data []byte) (map[string]json.RawMessage, error) {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(data, &object); err != nil || object == nil {
		return nil, errors.Join(err, errors.New("no object"))
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	if _, err := decoder.Token(); err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		text, _ := name.(string)
		if seen[text] {
			return nil, errors.New("twice: " + text)
		}
		seen[text] = true
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, err
		}
	}
	return object, nil
}

func TestAReaderAllocatesNothing(t *testing.T) {
	d, event := new(EventReader), []byte(`{"timestamp":"2026-11-23T14:05:00Z","model_name":"fraud","accuracy":0.93}`)
	with := []byte(`{"model_name":"fraud","model_version":"v8","metrics":{"auc":0.91,"f1":0.88}}`)
	require.True(t, d.scan(event) && d.scan(with))
	assert.Zero(t, testing.AllocsPerRun(100, func() { d.scan(event); d.scan(with) }))
}

func BenchmarkEventReader(b *testing.B) {
	d, event := new(EventReader), []byte(usual)
	b.ReportAllocs()
	b.SetBytes(int64(len(event)))
	for b.Loop() {
		if !d.scan(event) {
			b.Fatal("not read")
		}
	}
}
