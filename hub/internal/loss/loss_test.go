package loss_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/hub/internal/loss"
)

var errRefused = errors.New("refused")

func TestTheNamesOfAThousandModelsAreKeptAndTheOthersCountedTogether(t *testing.T) {
	var tally loss.Tally
	for i := range 3000 {
		var one loss.Losses
		one.Add(2, errRefused)
		tally.Keep(fmt.Sprint("typo-", i), one)
		tally.Keep("typo-0", one)
	}
	tally.Keep("durable", loss.Losses{})

	var all loss.Shortfall
	tally.TellAll(&all)
	assert.Len(t, all.Events, 1001)
	assert.EqualValues(t, 2+2*3000, all.Events["typo-0"])
	assert.EqualValues(t, 2, all.Events["typo-999"])
	assert.EqualValues(t, 2*2000, all.Events[loss.Others])
	require.ErrorIs(t, all.Cause(), errRefused)
}

func TestALossIsToldForAnHourAndOnceAfterwards(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var tally loss.Tally
	var one loss.Losses
	one.Add(1, errRefused)
	tally.Keep("fraud", one)
	tell := func() int64 {
		var told loss.Shortfall
		tally.Tell(&told, now)
		return told.Events["fraud"]
	}

	now = now.Add(24 * time.Hour)
	assert.EqualValues(t, 1, tell(), "nobody was told yet, however old it is")
	now = now.Add(loss.Memory - time.Second)
	assert.EqualValues(t, 1, tell())
	now = now.Add(time.Second)
	assert.EqualValues(t, 1, tell())
	assert.Zero(t, tell())

	tally.Keep("fraud", one)
	assert.EqualValues(t, 1, tell(), "a later one is told, and the first no more")
	var all loss.Shortfall
	tally.TellAll(&all)
	assert.EqualValues(t, 2, all.Events["fraud"])
}
