package recording_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/backtest/recording"
	"github.com/modelvigil/modelvigil/internal/toll"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/metric/table"
)

// reading is what came of reading texts one after the other.
type reading struct {
	*recording.Recording
	rejections, notes []string
	err               error
}

func read(reader recording.Reader, texts ...string) (r reading) {
	reader.OnRejection = func(rejection *recording.Rejection) error {
		r.rejections = append(r.rejections, rejection.Error())
		return nil
	}
	reader.OnNote = func(file, text string) { r.notes = append(r.notes, file+": "+text) }
	for _, text := range texts {
		if r.err = reader.Read(context.Background(), "f", strings.NewReader(text)); r.err != nil {
			return r
		}
	}
	r.Recording = reader.Recording()
	return r
}

// events are what a recording holds, in the wire form, a line each.
func (r reading) events(t *testing.T) (lines []string) {
	t.Helper()
	require.NoError(t, r.err)
	for _, model := range r.Models {
		for i := range model.Len() {
			event, _ := eventOf(model, i)
			text, err := json.Marshal(event)
			require.NoError(t, err)
			lines = append(lines, string(text))
		}
	}
	return lines
}

// eventOf is one event of a model, and when it arrived.
func eventOf(model *recording.Model, i int) (event metric.Event, arrived time.Time) {
	var row table.Row
	arrived = model.Row(i, &row)
	row.Event(&event)
	return event, arrived
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const (
	first  = `{"timestamp":"2026-03-01T12:00:00Z","model_name":"fraud","model_version":"v7","accuracy":0.93,"latency_ms":84,"drift_score":0.02,"metrics":{"auc":0.91}}`
	second = `{"timestamp":"2026-03-01T13:00:00Z","model_name":"fraud","model_version":"v7","accuracy":0.5}`
)

func TestFormsOfEvents(t *testing.T) {
	for name, text := range map[string]string{
		"a CSV with all columns": "timestamp,model_name,model_version,accuracy,latency_ms,drift_score,auc\n" +
			"2026-03-01T12:00:00Z,fraud,v7,0.93,84,0.02,0.91\n2026-03-01T14:00:00+01:00,fraud,v7,0.5,,,\n",
		"columns in another order, quotes, spaces, and the ends of lines that Windows writes": "\uFEFFauc,\"accuracy\",model_version,model_name,timestamp,latency_ms,drift_score\r\n" +
			"0.91, 0.93 ,v7,\"fraud\",2026-03-01 12:00:00,84,0.02\r\n\r\n,0.5,v7,fraud,2026-03-01 13:00:00,,\r\n",
		"semicolons": "timestamp;model_name;model_version;accuracy;latency_ms;drift_score;auc\n" +
			"1772366400;fraud;v7;0.93;84;0.02;0.91\n1772370000;fraud;v7;0.5;;;",
		"tabs, and Unix milliseconds": "timestamp\tmodel_name\tmodel_version\taccuracy\tlatency_ms\tdrift_score\tauc\n" +
			"1772366400000\tfraud\tv7\t0.93\t84\t0.02\t0.91\n1772370000000\tfraud\tv7\t0.5\t\t\t",
		"a column of words is passed over": "timestamp,model_name,region,model_version,accuracy,latency_ms,drift_score,auc\n" +
			"2026-03-01T12:00:00Z,fraud,eu,v7,0.93,84,0.02,0.91\n2026-03-01T13:00:00Z,fraud,us,v7,0.5,,,\n",
		"unsorted":                 "timestamp,model_name,model_version,accuracy,latency_ms,drift_score,auc\n2026-03-01T13:00:00Z,fraud,v7,0.5,,,\n2026-03-01T12:00:00Z,fraud,v7,0.93,84,0.02,0.91\n",
		"JSON, one to a line":      first + "\n\n" + second,
		"an array on a line":       "[" + first + "," + second + "]\n",
		"arrays, one to a line":    "[" + first + "]\n[" + second + "]\n",
		"an array over many lines": "[\n  " + first + ",\n  " + strings.ReplaceAll(second, ",", ",\n") + "\n]\n",
		"JSON and arrays mixed":    first + "\n[" + second + "]",
	} {
		t.Run(name, func(t *testing.T) {
			r := read(recording.Reader{}, text)
			assert.Equal(t, []string{first, second}, r.events(t))
			assert.Empty(t, r.rejections)

			var zipped bytes.Buffer
			writer := gzip.NewWriter(&zipped)
			_, _ = writer.Write([]byte(text))
			require.NoError(t, writer.Close())
			assert.Equal(t, []string{first, second}, read(recording.Reader{}, zipped.String()).events(t), "as gzip")
		})
	}
	r := read(recording.Reader{}, "timestamp,model_name,region,empty\n2026-03-01T12:00:00Z,fraud,eu,\n")
	assert.Equal(t, []string{`f: column "region" holds no numbers, and is passed over`, `f: column "empty" holds no value in the first rows`}, r.notes)
}

func TestFilesAreMergedByTime(t *testing.T) {
	r := read(recording.Reader{}, second, first, strings.ReplaceAll(second, "fraud", "abuse"))
	assert.Equal(t, []string{strings.ReplaceAll(second, "fraud", "abuse"), first, second}, r.events(t))
	require.NotNil(t, r.Model("abuse"))
	assert.Nil(t, r.Model("spam"))

	same := read(recording.Reader{}, "timestamp,model_name,a\n2026-03-01,m,2\n2025-03-01,m,0\n2026-03-01,m,1\n")
	require.Equal(t, 3, same.Models[0].Len())
	value, _ := same.Models[0].Columns()[0].At(1)
	assert.InDelta(t, 2, value, 0, "of one instant, the first that was read comes first")
}

func TestColumnsCanBeNamed(t *testing.T) {
	r := read(recording.Reader{ModelName: "fraud", Columns: map[string]string{"timestamp": "when", "accuracy": "acc", "auc": "area"}},
		"when,acc,area,accuracy\n2026-03-01T12:00:00Z,0.93,0.91,7\n")
	assert.Equal(t, []string{`{"timestamp":"2026-03-01T12:00:00Z","model_name":"fraud","accuracy":0.93,"metrics":{"auc":0.91}}`}, r.events(t))
}

func TestARowThatMakesNoSenseIsRejected(t *testing.T) {
	const head = "timestamp,model_name,accuracy,auc\n2026-03-01T12:00:00Z,fraud,0.93,0.9\n"
	for name, c := range map[string]struct{ text, want string }{
		"too few columns":         {head + "2026-03-01T12:00:00Z,fraud\n", "f:3: must have 4 columns as the header, got 2"},
		"a time that is none":     {head + "soon,fraud,1,1", `f:3: timestamp: must be RFC 3339, 2006-01-02 15:04:05, or Unix seconds or milliseconds, got "soon"`},
		"no time":                 {head + ",fraud,1,1", "f:3: timestamp: is missing"},
		"a reading that is none":  {head + "2026-03-01,fraud,high,low", "f:3: accuracy: must be a number, got \"high\"\nf:3: auc: must be a number, got \"low\""},
		"an infinity":             {head + "2026-03-01,fraud,Inf,1", "f:3: accuracy: must be a finite number"},
		"no model":                {head + "2026-03-01,,1,1", "f:3: model_name: must be 1 to 200 bytes"},
		"a quote that stays open": {head + "2026-03-01,\"fraud,1,1", "f:3: a quote is opened and not closed on its line"},
		"no UTF-8":                {head + "2026-03-01,\xff,1,1", "f:3: is not UTF-8 text"},
		"a line without an end":   {head + strings.Repeat("x", 2<<20), "f:3: is longer than 1 MiB"},
		"broken JSON":             {first + "\n{\"model_name\": \"fraud\"", "f:2: not JSON: unexpected end of JSON input"},
		"a word for a number":     {first + "\n" + `{"model_name": "fraud", "accuracy": "high"}`, `f:2: accuracy: must be a number, got "high"`},
		"a field twice":           {first + "\n" + `{"model_name": "fraud", "accuracy": 1, "accuracy": 1}`, `f:2: accuracy: is given twice`},
		"a number for an object":  {first + "\n" + `{"model_name": "fraud", "metrics": 1}`, `f:2: metrics: must be an object`},
		"JSON without a time":     {first + "\n" + `{"model_name": "fraud", "accuracy": 1}`, "f:2: timestamp: is missing"},
		"one of an array":         {first + "\n[" + second + `,{"model_name": "fraud"}]`, "f:2: [1]: timestamp: is missing"},
		"one of many lines":       {"[" + first + ",\n" + `{"model_name": "fraud"}` + "]", "f:2: [1]: timestamp: is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			r := read(recording.Reader{}, c.text)
			require.NoError(t, r.err)
			require.Len(t, r.rejections, 1)
			assert.Contains(t, r.rejections[0], c.want)
			assert.EqualValues(t, 1, r.Rejected)
			require.Len(t, r.Models, 1)
			assert.EqualValues(t, 1, r.Models[0].Rejected)
		})
	}
	r := read(recording.Reader{}, head+"2026-03-01,spam,x,1\n2026-03-01,fraud,x,1\nnothing\n")
	assert.EqualValues(t, []int64{3, 1, 1}, []int64{r.Rejected, r.Model("fraud").Rejected, r.Model("spam").Rejected}, "each where it belongs")
}

func TestAFileThatCannotBeReadOn(t *testing.T) {
	var zipped bytes.Buffer
	writer := gzip.NewWriter(&zipped)
	_, _ = writer.Write([]byte(strings.Repeat(first+"\n", 100)))
	require.NoError(t, writer.Close())
	for name, c := range map[string]struct{ text, want string }{
		"nothing in it":            {" \n", "f: is empty"},
		"no column of time":        {"when,accuracy\n", "f: after line 1: has no column timestamp; its columns are when, accuracy; --map timestamp=COLUMN"},
		"no column of models":      {"timestamp,accuracy\n", "has no column model_name; its columns are timestamp, accuracy; --model NAME"},
		"a column twice":           {"timestamp,model_name,a,a\n", `column "a" is there twice`},
		"gzip that ends early":     {zipped.String()[:zipped.Len()-20], "unexpected EOF"},
		"an array that ends early": {"[\n" + first + ",\n", "f: after line 2: not JSON: EOF"},
		"more after an array":      {"[\n" + first + "\n]\n{}", "goes on after its array"},
	} {
		t.Run(name, func(t *testing.T) { assert.ErrorContains(t, read(recording.Reader{}, c.text).err, c.want) })
	}
	assert.ErrorContains(t, read(recording.Reader{Columns: map[string]string{"accuracy": "acc"}}, "timestamp,model_name\n").err, `has no column "acc" for accuracy`)

	strict := recording.Reader{OnRejection: func(r *recording.Rejection) error { return r }}
	var rejection *recording.Rejection
	require.ErrorAs(t, strict.Read(t.Context(), "f", strings.NewReader("{}\n")), &rejection)
	assert.Equal(t, 1, rejection.Line)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, text := range []string{first, "[\n" + first + "]", "timestamp,model_name\n"} {
		assert.ErrorIs(t, (&recording.Reader{}).Read(ctx, "f", strings.NewReader(text)), context.Canceled)
	}
}

func TestTimestamps(t *testing.T) {
	for text, want := range map[string]string{
		"2026-03-01T12:00:00Z":         "2026-03-01T12:00:00Z",
		"2026-03-01T14:00:00.25+02:00": "2026-03-01T12:00:00.25Z",
		"2026-03-01 12:00:00":          "2026-03-01T12:00:00Z",
		"2026-03-01 12:00:00.125":      "2026-03-01T12:00:00.125Z",
		"2026-03-01 14:00:00+02:00":    "2026-03-01T12:00:00Z",
		"2026-03-01T14:00:00+0200":     "2026-03-01T12:00:00Z",
		"2026-03-01T12:00:00":          "2026-03-01T12:00:00Z",
		"2026-03-01 12:00":             "2026-03-01T12:00:00Z",
		"2026-03-01":                   "2026-03-01T00:00:00Z",
		"1772366400":                   "2026-03-01T12:00:00Z",
		"1772366400.5":                 "2026-03-01T12:00:00.5Z",
		"1.7723664e9":                  "2026-03-01T12:00:00Z",
		"1772366400125":                "2026-03-01T12:00:00.125Z",
		"1772366400125000":             "2026-03-01T12:00:00.125Z",
		"1772366400125000000":          "2026-03-01T12:00:00.125Z",
		"0":                            "1970-01-01T00:00:00Z",
		"-86400":                       "1969-12-31T00:00:00Z",
	} {
		got, _, err := recording.ParseTimestamp(text, time.UTC)
		require.NoError(t, err, text)
		assert.Equal(t, want, got.Format(time.RFC3339Nano), text)
	}
	for _, text := range []string{"", "soon", "2026-13-01", "NaN", "1e300", "Inf", "01/02/2026"} {
		_, _, err := recording.ParseTimestamp(text, time.UTC)
		assert.Error(t, err, text)
	}
}

// Whatever is read, each line is an event or a rejection, and what became an
// event is valid and in order.
func FuzzReader(f *testing.F) {
	f.Add("timestamp,model_name,accuracy,auc\n2026-03-01T12:00:00Z,fraud,0.93,1\n\"a,b\"\n,,,\n1,m,\"1\"\"\",x")
	f.Add(first + "\n[" + second + "]\n{\n")
	f.Add("[\n" + first + ",\n{}]")
	f.Add("\uFEFFtimestamp;model_name\n1e9;\"\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		reader := recording.Reader{}
		rejected := int64(0)
		reader.OnRejection = func(r *recording.Rejection) error {
			if r.Line < 1 || r.Line > strings.Count(text, "\n")+1 {
				t.Errorf("line %d of %q", r.Line, text)
			}
			rejected++
			return nil
		}
		most := toll.Most{BytesPerByte: 5000, Bytes: 8 << 20, WorkPerByte: 20_000, Work: 128 << 20}
		most.Hold(t, len(text), func() {
			other := recording.Reader{}
			_ = other.Read(context.Background(), "f", strings.NewReader(text))
		})
		_ = reader.Read(context.Background(), "f", strings.NewReader(text))
		recorded := reader.Recording()
		if recorded.Rejected != rejected {
			t.Errorf("%d rejected, %d told", recorded.Rejected, rejected)
		}
		for _, model := range recorded.Models {
			var last time.Time
			for i := range model.Len() {
				e, _ := eventOf(model, i)
				if err := e.Validate(e.Timestamp); err != nil || e.ModelName != model.Name || e.Timestamp.IsZero() || e.Timestamp.Before(last) {
					t.Errorf("%+v: %v", e, err)
				}
				last = e.Timestamp
			}
		}
	})
}

func BenchmarkReadCSV(b *testing.B) {
	var text strings.Builder
	text.WriteString("timestamp,model_name,model_version,accuracy,latency_ms,drift_score\n")
	for i := range 10_000 {
		text.WriteString(noon.Add(time.Duration(i)*time.Second).Format(time.RFC3339) + ",fraud,v7,0.93,84.5,0.02\n")
	}
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		reader := recording.Reader{}
		if err := reader.Read(b.Context(), "f", strings.NewReader(text.String())); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(10_000*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mevents/s")
}
