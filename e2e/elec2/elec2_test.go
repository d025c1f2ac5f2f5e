package elec2_test

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/demo/stream"
	"github.com/modelvigil/modelvigil/e2e/elec2"
)

const elecHeader = "period,nswprice,nswdemand,vicprice,vicdemand,transfer,class\n"

func TestRead(t *testing.T) {
	text := elecHeader + "0.0,0.056443,0.439155,0.003467,0.422915,0.414912,1\n0.021277,0.1,0.2,0.3,0.4,1,0\n"
	want := []stream.Sample{
		{X: []float64{0, 0.056443, 0.439155, 0.003467, 0.422915, 0.414912}, Y: true},
		{X: []float64{0.021277, 0.1, 0.2, 0.3, 0.4, 1}},
	}
	var zipped bytes.Buffer
	writer := gzip.NewWriter(&zipped)
	_, err := writer.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, writer.Close())

	t.Run("plain text is read in order", func(t *testing.T) {
		samples, err := elec2.Read(strings.NewReader(text))
		require.NoError(t, err)
		require.Equal(t, want, samples)
		require.Len(t, samples[0].X, 6)
	})
	t.Run("gzipped text is read alike, from a file", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "elec.csv.gz")
		require.NoError(t, os.WriteFile(path, zipped.Bytes(), 0o600))
		samples, err := elec2.Open(path)
		require.NoError(t, err)
		require.Equal(t, want, samples)
	})
	t.Run("a file cut short is an error, not fewer samples", func(t *testing.T) {
		_, err := elec2.Read(bytes.NewReader(zipped.Bytes()[:zipped.Len()-12]))
		require.ErrorContains(t, err, "unexpected EOF")
	})
	t.Run("a missing file is named", func(t *testing.T) {
		_, err := elec2.Open("nowhere/elec.csv")
		require.ErrorIs(t, err, os.ErrNotExist)
		require.ErrorContains(t, err, "nowhere/elec.csv")
	})
}

func TestReadNamesTheFault(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"an empty file":            {"", "line 1: must be the header, got an empty file"},
		"another file's header":    {"a,b\n", `line 1: must be the header ["period" "nswprice" "nswdemand" "vicprice" "vicdemand" "transfer" "class"], got ["a" "b"]`},
		"a header alone":           {elecHeader, "line 2: must be a sample, got the end of the file"},
		"a missing column":         {elecHeader + "0,0,0,0,0,1\n", "record on line 2: wrong number of fields"},
		"a reading that is absent": {elecHeader + "0,0,0,0,0,0,1\n0,?,0,0,0,0,1\n", `line 3: nswprice: must be a number in 0 to 1, got "?"`},
		"a reading out of range":   {elecHeader + "0,0,0,0,0,1.5,1\n", `line 2: transfer: must be a number in 0 to 1, got "1.5"`},
		"a reading of NaN":         {elecHeader + "NaN,0,0,0,0,0,1\n", `line 2: period: must be a number in 0 to 1, got "NaN"`},
		"a class of its own":       {elecHeader + "0,0,0,0,0,0,UP\n", `line 2: class: must be 0 or 1, got "UP"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := elec2.Read(strings.NewReader(test.text))
			require.EqualError(t, err, test.want)
		})
	}
}
