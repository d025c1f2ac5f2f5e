package recording_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/modelvigil/modelvigil/backtest/recording"
)

func berlin(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	return zone
}

// Rows as pandas, warehouses and spreadsheets write them.
func TestRowsAsPeopleHaveThem(t *testing.T) {
	for name, c := range map[string]struct {
		reader recording.Reader
		text   string
		want   string // one event
	}{
		"flat JSON, times in milliseconds": {
			text: `{"timestamp":1772366400000,"model_name":"m","model_version":"v1","accuracy":1,"auc":0.5}`,
			want: `{"timestamp":"2026-03-01T12:00:00Z","model_name":"m","model_version":"v1","accuracy":1,"metrics":{"auc":0.5}}`,
		},
		"flat JSON with a time of a zone that is given": {
			reader: recording.Reader{Zone: berlin(t)},
			text:   `{"timestamp":"2026-03-01T13:00:00.000","model_name":"m","accuracy":1}`,
			want:   `{"timestamp":"2026-03-01T12:00:00Z","model_name":"m","accuracy":1}`,
		},
		"flat JSON with what is no number": {
			text: `{"timestamp":1772366400,"model_name":"m","region":"eu","tags":["a"],"of":{"a":1},"auc":null,"gini":NaN,"f1":"0.25","correct":true}`,
			want: `{"timestamp":"2026-03-01T12:00:00Z","model_name":"m","metrics":{"correct":1,"f1":0.25}}`,
		},
		"a version that is a number": {
			text: `{"timestamp":1772366400,"model_name":"m","model_version":7,"auc":1}`,
			want: `{"timestamp":"2026-03-01T12:00:00Z","model_name":"m","model_version":"7","metrics":{"auc":1}}`,
		},
		"members of other names": {
			reader: recording.Reader{ModelName: "m", Columns: map[string]string{"timestamp": "ts", "accuracy": "acc"}},
			text:   `{"ts":1772366400,"acc":0.5,"accuracy":7}`, want: `{"timestamp":"2026-03-01T12:00:00Z","model_name":"m","accuracy":0.5}`,
		},
		"booleans as pandas writes them": {
			text: "timestamp,model_name,accuracy,correct\n2026-03-01 12:00:00,m,False,True\n",
			want: `{"timestamp":"2026-03-01T12:00:00Z","model_name":"m","accuracy":0,"metrics":{"correct":1}}`,
		},
		"what was not measured, in all words": {
			text: "timestamp,model_name,accuracy,a,b,c,d,e,f,g\n2026-03-01 12:00:00,m,NaN,NA,N/A,null,None,nan,\\N,0.5\n",
			want: `{"timestamp":"2026-03-01T12:00:00Z","model_name":"m","metrics":{"g":0.5}}`,
		},
		"times as BigQuery writes them": {
			text: "timestamp,model_name,auc\n2026-03-01 12:00:00.250 UTC,m,1\n",
			want: `{"timestamp":"2026-03-01T12:00:00.25Z","model_name":"m","metrics":{"auc":1}}`,
		},
		"times of a zone that is given": {
			reader: recording.Reader{Zone: berlin(t)}, text: "timestamp,model_name,auc\n2026-03-01 13:00:00,m,1\n",
			want: `{"timestamp":"2026-03-01T12:00:00Z","model_name":"m","metrics":{"auc":1}}`,
		},
		"times that say their own": {
			reader: recording.Reader{Zone: berlin(t)}, text: "timestamp,model_name,auc\n2026-03-01 12:00:00Z,m,1\n",
			want: `{"timestamp":"2026-03-01T12:00:00Z","model_name":"m","metrics":{"auc":1}}`,
		},
		"decimal commas": {
			text: "\uFEFFtimestamp;model_name;accuracy;auc\r\n2026-03-01 12:00:00;m;0,95;1e-3\r\n",
			want: `{"timestamp":"2026-03-01T12:00:00Z","model_name":"m","accuracy":0.95,"metrics":{"auc":0.001}}`,
		},
		"decimal commas beside commas, in quotes": {
			reader: recording.Reader{DecimalComma: true},
			text:   "timestamp,model_name,accuracy,auc,amount,n\n2026-03-01 12:00:00,m,\"0,95\",\"-1,5\",\"12.345.678,25\",1.234\n",
			want:   `{"timestamp":"2026-03-01T12:00:00Z","model_name":"m","accuracy":0.95,"metrics":{"amount":12345678.25,"auc":-1.5,"n":1234}}`,
		},
		"what Excel says the columns stand apart by": {
			text: "sep=;\r\ntimestamp;model_name;accuracy\r\n2026-03-01 12:00:00;m;0.95\r\n",
			want: `{"timestamp":"2026-03-01T12:00:00Z","model_name":"m","accuracy":0.95}`,
		},
		"of many columns those that are wanted": {
			reader: recording.Reader{Wanted: func(name string) bool { return name == "c70" }},
			text:   wide(80), want: `{"timestamp":"2026-03-01T12:00:00Z","model_name":"m","metrics":{"c70":70}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := read(c.reader, c.text)
			assert.Equal(t, []string{c.want}, r.events(t), r.rejections)
		})
	}
}

// wide is a CSV of a row and n columns of readings.
func wide(n int) string {
	head, row := "timestamp,model_name", "2026-03-01 12:00:00,m"
	for i := range n {
		head += fmt.Sprintf(",c%d", i)
		row += fmt.Sprintf(",%d", i)
	}
	return head + "\n" + row + "\n"
}

func TestOfTimesWithoutAZoneIsWarned(t *testing.T) {
	const warning = "f: times say no zone and are taken for UTC; --zone, as in --zone Europe/Berlin, names another"
	text := "timestamp,model_name,auc\n2026-03-01 13:00:00,m,1\n"
	assert.Equal(t, []string{warning}, read(recording.Reader{}, text).notes)
	assert.Empty(t, read(recording.Reader{Zone: berlin(t)}, text).notes)
	assert.Empty(t, read(recording.Reader{}, strings.ReplaceAll(text, ":00,", ":00Z,")).notes)
	assert.Empty(t, read(recording.Reader{}, "timestamp,model_name,auc\n1772366400,m,1\n").notes)
}

func TestOfTimesThatClocksShowTwiceIsWarned(t *testing.T) {
	const row = "timestamp,model_name,auc\n%s,m,1\n"
	for zone, c := range map[string]struct{ once, twice []string }{
		"Europe/Berlin": {
			once:  []string{"2026-10-25 01:59:59", "2026-10-25 03:00:00", "2026-03-29 01:30:00", "2026-03-29 03:30:00", "2026-10-25T02:30:00+02:00"},
			twice: []string{"2026-10-25 02:00:00", "2026-10-25 02:30:00", "2026-10-25 02:59:59"},
		},
		"America/New_York": {
			once:  []string{"2026-11-01 00:59:59", "2026-11-01 02:00:00", "2026-03-08 01:30:00", "2026-03-08 03:30:00"},
			twice: []string{"2026-11-01 01:00:00", "2026-11-01 01:59:59"},
		},
		"Australia/Lord_Howe": { // whose clocks are put back by half an hour
			once:  []string{"2026-04-05 01:29:59", "2026-04-05 02:00:00"},
			twice: []string{"2026-04-05 01:30:00", "2026-04-05 01:59:59"},
		},
		"UTC": {once: []string{"2026-10-25 02:30:00"}},
	} {
		location, err := time.LoadLocation(zone)
		require.NoError(t, err)
		reader := recording.Reader{Zone: location}

		for _, written := range c.once {
			assert.Empty(t, read(reader, fmt.Sprintf(row, written)).notes, "%s in %s", written, zone)
		}
		for _, written := range c.twice {
			notes := read(reader, fmt.Sprintf(row, written)).notes
			require.Len(t, notes, 1, "%s in %s", written, zone)
			assert.Contains(t, notes[0], "1 time is of an hour that the clocks of "+zone+" show twice")
		}
	}
}

func TestWhatWasUnderstoodOfAFileIsOutlined(t *testing.T) {
	reader := recording.Reader{Wanted: func(name string) bool { return name == "auc" || name == "f1" }}
	for _, text := range []string{
		"timestamp,model_name,model_version,auc,f1,region\n2026-03-02,m,v2,1,2,eu\nsoon,m,v2,1,2,eu\n2026-03-01,m,v1,1,2,eu\n",
		`{"timestamp":"2026-03-01Z","model_name":"m","auc":1,"region":"eu"}`,
	} {
		require.NoError(t, reader.Read(t.Context(), "f", strings.NewReader(text)))
	}
	outlines := reader.Outlines()
	require.Len(t, outlines, 2)
	o := outlines[0]
	assert.Equal(t, []any{"CSV", int64(2), int64(1), "UTC"}, []any{o.Form, o.Events, o.Rejected, o.Zone})
	assert.Equal(t, [][]string{{"v2", "v1"}, {"auc", "f1"}, {"region"}, {"m"}}, [][]string{o.Versions, o.Taken, o.PassedOver, o.Models})
	assert.Equal(t, []string{"2026-03-01", "2026-03-02"}, []string{o.First.Format(time.DateOnly), o.Last.Format(time.DateOnly)})
	assert.Equal(t, []any{"JSON", []string{"auc"}, []string{"region"}}, []any{outlines[1].Form, outlines[1].Taken, outlines[1].PassedOver})
}

func TestEventsComeInTheOrderOfTheirArrival(t *testing.T) {
	reader := recording.Reader{Columns: map[string]string{"arrival": "labelled_at"}}
	text := "timestamp,labelled_at,model_name,a\n2026-03-01,2026-03-05,m,1\n2026-03-02,2026-03-03,m,2\n2026-03-04,,m,3\n"
	require.NoError(t, reader.Read(t.Context(), "f", strings.NewReader(text)))
	model := reader.Recording().Model("m")
	var got []string
	for i := range model.Len() {
		e, arrived := eventOf(model, i)
		got = append(got, fmt.Sprintf("%g at %s arrives %s", e.Metrics["a"], e.Timestamp.Format("01-02"), arrived.Format("01-02")))
	}
	assert.Equal(t, []string{"2 at 03-02 arrives 03-03", "3 at 03-04 arrives 01-01", "1 at 03-01 arrives 03-05"}, got)
}

// exported is a row of a Parquet file.
type exported struct {
	Timestamp time.Time `parquet:"timestamp,timestamp(millisecond)"`
	Local     time.Time `parquet:"local,timestamp(microsecond:local)"`
	Model     string    `parquet:"model_name,dict"`
	Version   *string   `parquet:"model_version,optional"`
	Accuracy  *float64  `parquet:"accuracy,optional"`
	Latency   float32   `parquet:"latency_ms"`
	Correct   bool      `parquet:"correct"`
	Price     int64     `parquet:"price,decimal(2:18)"`
	Count     int32     `parquet:"count"`
	Region    string    `parquet:"region"`
	Tags      []string  `parquet:"tags,list"`
	Metrics   struct {
		AUC float64 `parquet:"auc"`
	} `parquet:"metrics"`
}

func TestParquetIsReadByTheColumnsThatAreWanted(t *testing.T) {
	var file bytes.Buffer
	version, accuracy := "v1", 0.5
	row := exported{
		Timestamp: noon, Local: noon, Model: "m", Version: &version, Accuracy: &accuracy, Latency: 84.5, Correct: true, Price: 1999,
		Count: 3, Region: "eu", Tags: []string{"a", "b"},
	}
	row.Metrics.AUC = 0.91
	later := row
	later.Timestamp = noon.Add(time.Second)
	later.Version = nil
	later.Accuracy = nil
	later.Metrics.AUC = math.NaN()
	writer := parquet.NewGenericWriter[exported](&file, parquet.MaxRowsPerRowGroup(1), parquet.Compression(&parquet.Zstd))
	_, err := writer.Write([]exported{row, later})
	require.NoError(t, err)
	require.NoError(t, writer.Close())

	r := read(recording.Reader{}, file.String())
	assert.Equal(t, []string{
		`{"timestamp":"2026-03-01T12:00:00Z","model_name":"m","model_version":"v1","accuracy":0.5,"latency_ms":84.5,"metrics":{"auc":0.91,"correct":1,"count":3,"price":19.99}}`,
		`{"timestamp":"2026-03-01T12:00:01Z","model_name":"m","latency_ms":84.5,"metrics":{"correct":1,"count":3,"price":19.99}}`,
	}, r.events(t))

	reader := recording.Reader{
		Zone: berlin(t), Columns: map[string]string{"timestamp": "local"}, Wanted: func(name string) bool { return name == "count" },
	}
	require.NoError(t, reader.Read(t.Context(), "f", bytes.NewReader(file.Bytes())), "from a file that can be read from anywhere")
	recorded := reader.Recording()
	assert.Equal(t, noon.Add(-time.Hour), recorded.Models[0].Time(0), "of a zone that is given")
	require.Len(t, recorded.Models[0].Columns(), 1)
	assert.Contains(t, reader.Outlines()[0].PassedOver, "tags.list.element")

	for text, want := range map[string]string{"PAR1": "f: after line 1: not Parquet", file.String()[:file.Len()-9]: "not Parquet"} {
		assert.ErrorContains(t, read(recording.Reader{}, text).err, want)
	}
}

// However the text is cut up among goroutines, what comes out is what reading line by
// line would give.
func TestLongFilesComeOutInOrder(t *testing.T) {
	var text strings.Builder
	text.WriteString("timestamp,model_name,a,pad\n")
	const rows = 60_000
	pad := strings.Repeat("x", 60)
	for i := range rows {
		if i%1000 == 999 {
			fmt.Fprintf(&text, "never,m,%d,%s\n", i, pad)
			continue
		}
		fmt.Fprintf(&text, "%d,m,%d,%s\n", 1_772_366_400+i, i, pad)
	}
	wants := func(name string) bool { return name == "a" }
	r := read(recording.Reader{Wanted: wants}, text.String())
	require.NoError(t, r.err)
	require.Len(t, r.rejections, rows/1000)
	assert.Contains(t, r.rejections[0], "f:1001: timestamp")
	assert.Contains(t, r.rejections[rows/1000-1], fmt.Sprintf("f:%d: timestamp", rows+1))
	model := r.Models[0]
	require.Equal(t, rows-rows/1000, model.Len())
	last := -1.0
	for i := range model.Len() {
		value, measured := model.Columns()[0].At(i)
		require.True(t, measured)
		require.Greater(t, value, last)
		last = value
	}
}

// What is read fast is what is read slowly.
func TestFastFormsReadAsTheGeneralOnes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := time.Unix(0, rapid.Int64Range(-9e18, 9e18).Draw(t, "at")).UTC()
		layout := rapid.SampledFrom([]string{
			time.RFC3339, time.RFC3339Nano, "2006-01-02 15:04:05", "2006-01-02T15:04:05.000", "2006-01-02 15:04:05.999999 UTC", "2006-01-02 15:04:05Z07:00",
		}).Draw(t, "layout")
		text := at.Format(layout)
		want, err := time.Parse(layout, text)
		require.NoError(t, err)
		got, _, err := recording.ParseTimestamp(text, time.UTC)
		require.NoError(t, err, text)
		require.Equal(t, want.UTC(), got, text)
	})
	for _, text := range []string{"2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:00:00.Z", "1500-01-01T00:00:00Z"} {
		_, _, err := recording.ParseTimestamp(text, time.UTC)
		require.Error(t, err, text)
	}

	rapid.Check(t, func(t *rapid.T) {
		value := rapid.Float64Range(-1e12, 1e12).Draw(t, "value")
		text := fmt.Sprintf(rapid.SampledFrom([]string{"%.0f", "%.1f", "%.3f", "%.6f", "%g", "%e", "%.20f"}).Draw(t, "form"), value)
		var want float64
		_, err := fmt.Sscan(text, &want)
		require.NoError(t, err)
		r := read(recording.Reader{}, "timestamp,model_name,a\n2026-03-01,m,"+text+"\n")
		require.NoError(t, r.err)
		got, measured := r.Models[0].Columns()[0].At(0)
		require.True(t, measured)
		require.Equal(t, math.Float64bits(want), math.Float64bits(got), text)
	})
}

func TestReadingEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	reader := recording.Reader{}
	text := "timestamp,model_name,a\n" + strings.Repeat("2026-03-01,m,1\n", 400_000)
	err := reader.Stream(ctx, "f", strings.NewReader(text), func(*recording.Batch) error {
		cancel()
		return nil
	})
	assert.ErrorIs(t, err, context.Canceled)
}

func TestAPointThatPartsNoThousandsIsNoNumberWhereFractionsStandBehindCommas(t *testing.T) {
	for _, text := range []string{"0.95", "1.23,4", "1,234.5", "1.2345"} {
		r := read(recording.Reader{DecimalComma: true}, "timestamp;model_name;accuracy\n2026-03-01;m;"+text+"\n")
		require.Len(t, r.rejections, 1, text)
		assert.Contains(t, r.rejections[0], "must be a number", text)
	}
}
