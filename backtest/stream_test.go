package backtest_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/modelvigil/modelvigil/backtest"
	"github.com/modelvigil/modelvigil/backtest/recording"
)

// streamed replays a file as it is read.
func streamed(text string, policies []backtest.Policy) ([]backtest.Result, error) {
	stream := backtest.NewStream(policies, backtest.Options{})
	reader := recording.Reader{}
	err := reader.Stream(context.Background(), "f", strings.NewReader(text), func(b *recording.Batch) error { return stream.Add(context.Background(), b) })
	if err != nil {
		return nil, err
	}
	return stream.Finish()
}

func TestAStreamGivesWhatARecordingGives(t *testing.T) {
	policies := []backtest.Policy{
		{Label: "default"},
		{Label: "mean", Policy: decoded(t, `{"cooldown": "10m", "rules": [{"name": "r", "metric": "auc", "stat": "mean", "period": "5m", "below": 0.5}]}`)},
		{Label: "one", ModelName: "m1"},
		{Label: "none", ModelName: "absent"},
	}
	rapid.Check(t, func(t *rapid.T) {
		text := "timestamp,model_name,model_version,accuracy,auc\n"
		minute := 0
		for range rapid.IntRange(1, 60).Draw(t, "rows") {
			minute += rapid.IntRange(0, 4).Draw(t, "minutes")
			text += fmt.Sprintf("%s,m%d,v%d,%.2f,%.2f\n", at(float64(minute)).Format("2006-01-02 15:04:05"),
				rapid.IntRange(0, 2).Draw(t, "model"), minute/20, rapid.Float64Range(0.8, 1).Draw(t, "accuracy"), rapid.Float64Range(0, 1).Draw(t, "auc"))
			if rapid.IntRange(0, 20).Draw(t, "spoilt") == 0 {
				text += "soon,m1,v1,1,1\n"
			}
		}

		reader := recording.Reader{}
		require.NoError(t, reader.Read(context.Background(), "f", strings.NewReader(text)))
		want, err := backtest.Run(context.Background(), reader.Recording(), policies, backtest.Options{})
		require.NoError(t, err)
		got, err := streamed(text, policies)
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
}

func TestAStreamSaysThatEventsAreNotInOrder(t *testing.T) {
	const head = "timestamp,model_name,accuracy\n"
	_, err := streamed(head+"2026-03-02,m,1\n2026-03-01,m,1\n", []backtest.Policy{{}})
	assert.ErrorIs(t, err, recording.ErrOrder)
	_, err = streamed(head+"2026-03-02,a,1\n2026-03-01,b,1\n", []backtest.Policy{{}})
	assert.NoError(t, err, "each model has its own clock")
}
