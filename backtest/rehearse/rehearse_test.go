package rehearse_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/backtest"
	"github.com/modelvigil/modelvigil/backtest/recording"
	"github.com/modelvigil/modelvigil/backtest/rehearse"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
)

// programs are what the test's own binary does when it is started as the program.
var programs = map[string]func(p *program){
	"retrains when told": func(p *program) {
		accuracy, version := 0.95, "v1"
		for minute := range 240 {
			if minute == 30 || minute == 150 {
				accuracy = 0.5
			}
			p.say(`{"timestamp": %q, "model_version": %q, "accuracy": %v}`, at(minute), version, accuracy)
			for _, id := range p.sync(minute) {
				accuracy, version = 0.95, fmt.Sprintf("v%d", minute)
				p.say(`{"retraining": {"request_id": %q, "state": "succeeded", "model_version": %q}}`, id, version)
			}
		}
	},
	"is always bad": func(p *program) {
		for minute := range 240 {
			p.say(`{"timestamp": %q, "model_version": "v1", "accuracy": 0.5}`, at(minute))
			for _, id := range p.sync(minute) {
				p.say(`{"retraining": {"request_id": %q, "state": "succeeded", "model_version": "v1"}}`, id)
			}
		}
	},
	"never reads": func(p *program) {
		// Its standard input would be full after some thousand of these.
		for i := range 100_000 {
			p.say(`{"sync": %d}`, i)
		}
		p.say(`{"timestamp": %q, "accuracy": 0.95}`, at(0))
	},
	"has closed its input": func(p *program) {
		_ = os.Stdin.Close()
		for i := range 10_000 {
			p.say(`{"sync": %d}`, i)
			p.say(`{"timestamp": %q, "accuracy": 0.5}`, at(i))
		}
	},
	"prints nonsense": func(p *program) {
		p.say("loading the model")
		p.say(`{"timestamp": %q, "accuracy": 0.5}`, at(0))
		p.say("")
		p.say(`{"accuracy": 0.5}`)
		p.say(`{"timestamp": %q, "acuracy": 0.5}`, at(1))
		p.say(`{"timestamp": %q, "model_name": "other", "accuracy": 0.5}`, at(1))
		p.say(`{"timestamp": %q, "accuracy": NaN}`, at(1))
		p.say(`{"retraining": {"request_id": "of nobody", "state": "succeeded"}}`)
		p.say(`{"retraining": {"request_id": "x", "state": "perhaps"}}`)
		p.say(`{"sync": 1, "of": 2}`)
		p.say("%s", strings.Repeat("x", 2<<20))
		p.say(`{"timestamp": %q, "accuracy": 0.5}`, at(2))
	},
	"dies": func(p *program) {
		p.say(`{"timestamp": %q, "accuracy": 0.5}`, at(0))
		p.flush()
		_, _ = fmt.Fprintln(os.Stderr, "out of memory")
		os.Exit(3)
	},
	"says nothing": func(*program) {},
	"goes on for ever": func(p *program) {
		for minute := 0; ; minute++ {
			p.say(`{"timestamp": %q, "accuracy": 0.95}`, at(minute%1_000_000))
		}
	},
	"fails a retraining": func(p *program) {
		for minute := range 100 {
			p.say(`{"timestamp": %q, "accuracy": 0.5}`, at(minute))
			for _, id := range p.sync(minute) {
				p.say(`{"retraining": {"request_id": %q, "state": "failed", "message": "no labels"}}`, id)
			}
		}
	},
}

func TestMain(m *testing.M) {
	if run, is := programs[os.Getenv("REHEARSED_PROGRAM")]; is {
		p := &program{out: bufio.NewWriter(os.Stdout), in: bufio.NewReader(os.Stdin)}
		run(p)
		p.flush()
		return
	}
	patience.Main(m)
}

// program is the other side of the conversation.
type program struct {
	out *bufio.Writer
	in  *bufio.Reader
}

func (p *program) say(format string, args ...any) { _, _ = fmt.Fprintf(p.out, format+"\n", args...) }

func (p *program) flush() { _ = p.out.Flush() }

// sync waits until all that was said is judged, and returns what is to be retrained.
func (p *program) sync(n int) (requestIDs []string) {
	p.say(`{"sync": %d}`, n)
	p.flush()
	for {
		line, err := p.in.ReadBytes('\n')
		if err != nil {
			panic(err)
		}
		var told struct {
			Retrain *struct {
				RequestID string `json:"request_id"`
			}
			Synced *int
		}
		if err := json.Unmarshal(line, &told); err != nil {
			panic(err)
		}
		switch {
		case told.Retrain != nil:
			requestIDs = append(requestIDs, told.Retrain.RequestID)
		case *told.Synced == n:
			return requestIDs
		default:
			panic("synced in another order")
		}
	}
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func at(minute int) string { return noon.Add(time.Duration(minute) * time.Minute).Format(time.RFC3339) }

// rehearsed runs one of the programs.
func rehearsed(t *testing.T, program, wanted string, options rehearse.Options, yardsticks ...string) ([]rehearse.Result, error) {
	t.Helper()
	t.Setenv("REHEARSED_PROGRAM", program)
	decoded, err := policy.Decode([]byte(wanted))
	require.NoError(t, err)
	var parsed []rehearse.Yardstick
	for _, text := range yardsticks {
		yardstick, err := rehearse.ParseYardstick(text)
		require.NoError(t, err)
		parsed = append(parsed, yardstick)
	}
	return rehearse.Run(t.Context(), []backtest.Policy{{Label: "p", Policy: decoded}}, parsed, []string{os.Args[0]}, options)
}

// happened are a result's decisions as `minute kind by version`.
func happened(r rehearse.Result) (all []string) {
	for _, d := range r.Decisions {
		all = append(all, fmt.Sprintf("%g %s %s", d.At.Sub(noon).Minutes(), d.Kind, d.ModelVersion))
	}
	return all
}

func TestWhatIsRetrainedIsJudgedNext(t *testing.T) {
	results, err := rehearsed(t, "retrains when told", `{}`, rehearse.Options{})
	require.NoError(t, err)
	require.Len(t, results, 1)
	assert.Equal(t, []string{
		"30 triggered v1", "30 succeeded v30", "150 triggered v30", "150 succeeded v150",
	}, happened(results[0]))
	assert.EqualValues(t, 240, results[0].Events)
	assert.Equal(t, "rehearsal", results[0].ModelName)
	assert.Zero(t, results[0].Rejected)
	assert.EqualValues(t, 240, results[0].Metrics["accuracy"].Count)
	assert.InDelta(t, (238*0.95+2*0.5)/240, results[0].Metrics["accuracy"].Mean, 1e-9)
}

func TestTheClockIsTheEvents(t *testing.T) {
	t.Run("an operator approves as late as is said", func(t *testing.T) {
		results, err := rehearsed(t, "retrains when told", `{"approval": {"required": true}}`,
			rehearse.Options{ApproveAfter: metric.Some(45*time.Minute + 30*time.Second)})
		require.NoError(t, err)
		assert.Equal(t, []string{
			"30 awaiting_approval v1", "31 suppressed v1", "75 suppressed v1", "75.5 approved v1", "75.5 triggered v1", "76 suppressed v1",
			"76 succeeded v76", "150 awaiting_approval v76", "151 suppressed v76", "195 suppressed v76", "195.5 approved v76", "195.5 triggered v76",
			"196 suppressed v76", "196 succeeded v196",
		}, happened(results[0]))
	})
	t.Run("at once, too", func(t *testing.T) {
		results, err := rehearsed(t, "retrains when told", `{"approval": {"required": true}}`, rehearse.Options{ApproveAfter: metric.Some(time.Duration(0))})
		require.NoError(t, err)
		assert.EqualValues(t, 2, results[0].Retrainings.Succeeded)
	})
	t.Run("what nobody approves is dropped in time", func(t *testing.T) {
		results, err := rehearsed(t, "retrains when told", `{"approval": {"required": true, "timeout": "1h"}}`, rehearse.Options{})
		require.NoError(t, err)
		assert.Contains(t, happened(results[0]), "90 approval_rejected v1")
		assert.Zero(t, results[0].Retrainings.Requested)
	})
	t.Run("a retraining that failed leaves the cooldown", func(t *testing.T) {
		results, err := rehearsed(t, "fails a retraining", `{"cooldown": "1h"}`, rehearse.Options{})
		require.NoError(t, err)
		assert.Contains(t, happened(results[0]), "60 triggered ")
		assert.EqualValues(t, 2, results[0].Retrainings.Failed)
	})
}

func TestNeitherSideBlocksTheOther(t *testing.T) {
	for _, program := range []string{"never reads", "has closed its input"} {
		t.Run(program, func(t *testing.T) {
			results, err := rehearsed(t, program, `{"cooldown": "0s"}`, rehearse.Options{})
			require.NoError(t, err)
			assert.Positive(t, results[0].Events)
		})
	}
}

func TestLinesThatMakeNoSenseAreCountedAndExplained(t *testing.T) {
	var mutex sync.Mutex
	var said []string
	results, err := rehearsed(t, "prints nonsense", `{}`, rehearse.Options{ModelName: "mine", OnRejection: func(r *recording.Rejection) {
		mutex.Lock()
		defer mutex.Unlock()
		said = append(said, r.Error())
	}})
	require.NoError(t, err)
	assert.EqualValues(t, 2, results[0].Events)
	assert.EqualValues(t, 9, results[0].Rejected)
	require.Len(t, said, 9)
	for i, part := range []string{
		"p:1: not JSON", "p:4: timestamp: is missing", `p:5: acuracy: `, `p:6: model_name: this is the rehearsal of "mine"`, "p:7: ",
		`p:8: request_id: "of nobody" is none`, "p:9: retraining: state: must be", "p:10: of: ", "p:11: is longer than 1 MiB",
	} {
		assert.Contains(t, said[i], part)
	}
}

func TestAProgramThatEndsBadlyFailsTheRun(t *testing.T) {
	var stderr strings.Builder
	_, err := rehearsed(t, "dies", `{}`, rehearse.Options{Stderr: &stderr})
	require.ErrorContains(t, err, "ended with exit status 3")
	assert.Contains(t, stderr.String(), "out of memory")

	_, err = rehearsed(t, "says nothing", `{}`, rehearse.Options{})
	require.ErrorIs(t, err, backtest.ErrNoEvents)

	_, err = rehearse.Run(t.Context(), []backtest.Policy{{Label: "p"}}, nil, []string{"/there/is/no/such/program"}, rehearse.Options{})
	require.ErrorContains(t, err, "start the program")
}

func TestARunEndsWithItsContext(t *testing.T) {
	t.Setenv("REHEARSED_PROGRAM", "goes on for ever")
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	done := make(chan error, 1)
	go func() {
		_, err := rehearse.Run(ctx, []backtest.Policy{{Label: "p", ModelName: "other"}}, nil, []string{os.Args[0]}, rehearse.Options{
			OnRejection: func(*recording.Rejection) { _, _ = writer.Write([]byte{1}) },
			ModelName:   "m",
		})
		done <- err
	}()
	cancel()
	_ = reader.Close()
	require.ErrorIs(t, <-done, context.Canceled)
}

func TestYardsticks(t *testing.T) {
	results, err := rehearsed(t, "is always bad", `{"cooldown": "50m"}`, rehearse.Options{}, "never", "always", "calendar", "1h20m")
	require.NoError(t, err)
	var said []string
	for _, r := range results {
		said = append(said, fmt.Sprintf("%s: %d", r.Policy, r.Retrainings.Succeeded))
	}
	assert.Equal(t, []string{"p: 5", "never: 0", "always: 5", "calendar of 5: 5", "every 1h20m: 2"}, said)

	results, err = rehearsed(t, "retrains when told", `{"rules": [{"metric": "accuracy", "stat": "mean", "below": 0.9, "period": "1h", "grace": "0s"}], "cooldown": "0s"}`,
		rehearse.Options{}, "always")
	require.NoError(t, err)
	assert.EqualValues(t, 4, results[1].Retrainings.Requested, "each hour's end is a look")

	for _, text := range []string{"", "sometimes", "0s", "-1h"} {
		_, err := rehearse.ParseYardstick(text)
		require.Error(t, err, text)
	}
}
