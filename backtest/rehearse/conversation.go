package rehearse

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/modelvigil/modelvigil/backtest"
	"github.com/modelvigil/modelvigil/backtest/recording"
	"github.com/modelvigil/modelvigil/internal/strict"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/monitor/retraining"
)

// maxLineBytes bounds a line of the program's: an event at its bounds has some 20 KiB.
const maxLineBytes = 1 << 20

var (
	errLongLine    = fmt.Errorf("is longer than %d MiB; one line holds one event", maxLineBytes>>20)
	errNoTimestamp = errors.New("timestamp: is missing; a rehearsal has no other clock")
)

// conversation is what a program and one monitor say to each other.
type conversation struct {
	policy    backtest.Policy
	options   *Options
	modelName string // whose events these are; empty until it is known

	out       *outbox
	simulator *backtest.Simulator // nil until modelName is known
	recorder  *recording.Recorder // nil where nobody wants the events kept
	reader    metric.EventReader
	means     means
	rejected  int64
	line      int // read last, from 1
}

// converse reads what a program says until it ends, and tells it what it is asked
// for. It closes nothing.
func converse(policy backtest.Policy, from io.Reader, out *outbox, options *Options) (*Result, error) {
	c := &conversation{policy: policy, options: options, out: out, means: means{}}
	if options.KeepEvents {
		c.recorder = &recording.Recorder{}
	}
	if policy.ModelName != "" {
		c.watch(policy.ModelName)
	}

	lines := bufio.NewReaderSize(from, maxLineBytes)
	for {
		line, err := c.next(lines)
		switch {
		case err == nil:
			c.hear(line)
		case errors.Is(err, errLongLine):
			c.reject(err)
		case errors.Is(err, io.EOF):
			return c.result()
		default:
			return nil, fmt.Errorf("read what the program prints, after line %d: %w", c.line, err)
		}
	}
}

// next is the next line that is not blank, valid until the call after.
func (c *conversation) next(lines *bufio.Reader) ([]byte, error) {
	for {
		line, err := lines.ReadSlice('\n')
		if len(line) > 0 {
			c.line++
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = lines.ReadSlice('\n')
			}
			return nil, errLongLine
		}

		if trimmed := bytes.TrimSpace(line); len(trimmed) > 0 {
			return trimmed, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// watch begins to watch a model.
func (c *conversation) watch(modelName string) {
	c.modelName = modelName
	options := backtest.Options{ApproveAfter: c.options.ApproveAfter, Backend: c.ask}
	c.simulator = backtest.NewSimulator(modelName, c.policy.Policy, options)
	c.simulator.OnRejection(func(why monitor.Rejection) { c.tell(errors.New(why.Reason)) })
}

// ask asks the program for a retraining.
func (c *conversation) ask(request modelops.Request) {
	line, err := json.Marshal(map[string]modelops.Request{"retrain": request})
	if err != nil {
		c.tell(fmt.Errorf("write request %s: %w", request.RequestID, err))
		return
	}
	c.out.put(line)
}

// hear takes one line.
func (c *conversation) hear(line []byte) {
	event, isEvent := c.reader.Try(line)
	if !isEvent {
		c.answer(line)
		return
	}

	if event.ModelName == "" {
		event.ModelName = c.nameless()
	}
	if err := c.check(event); err != nil {
		c.reject(err)
		return
	}

	if c.simulator == nil {
		c.watch(event.ModelName)
	}
	event.Timestamp = event.Timestamp.Round(0).UTC()
	c.simulator.Observe(event, time.Time{})
	c.means.add(event)
	if c.recorder != nil {
		c.recorder.Add(event)
	}
}

// nameless is whose an event is that names no model.
func (c *conversation) nameless() string {
	switch {
	case c.modelName != "":
		return c.modelName
	case c.options.ModelName != "":
		return c.options.ModelName
	}
	return DefaultModelName
}

// check says what is wrong with an event, if anything.
func (c *conversation) check(event *metric.Event) error {
	if event.Timestamp.IsZero() {
		return errNoTimestamp
	}
	if !event.IsValid(event.Timestamp) {
		return event.Validate(event.Timestamp)
	}
	if c.modelName != "" && event.ModelName != c.modelName {
		return fmt.Errorf("model_name: this is the rehearsal of %q, got %q", c.modelName, event.ModelName)
	}
	return nil
}

// answer takes a line that is no event.
func (c *conversation) answer(line []byte) {
	var sync, retraining json.RawMessage
	err := strict.Decode(line, "", strict.Fields{"sync": &sync, "retraining": &retraining})
	if sync == nil && retraining == nil {
		_, err = c.reader.Read(line) // an event is what it is meant to be, mostly
	}
	if err != nil {
		c.reject(err)
		return
	}

	if retraining != nil {
		c.takeOutcome(retraining)
	}
	if sync != nil {
		c.out.put(fmt.Appendf(nil, `{"synced": %s}`, sync))
	}
}

// takeOutcome takes the program's word on a retraining.
func (c *conversation) takeOutcome(payload []byte) {
	outcome, err := retraining.DecodeOutcome(payload)
	if err == nil && c.simulator == nil {
		err = fmt.Errorf("request_id: %q was never asked for", outcome.RequestID)
	}
	if err != nil {
		c.reject(strict.At("retraining", err))
		return
	}
	c.simulator.Outcome(outcome)
}

// reject counts a line and tells of it.
func (c *conversation) reject(why error) {
	c.rejected++
	c.tell(why)
}

func (c *conversation) tell(why error) {
	if c.options.OnRejection != nil {
		c.options.OnRejection(&recording.Rejection{File: c.policy.Label, Line: c.line, Err: why})
	}
}

// result lets the clock run out and says what became of it all.
func (c *conversation) result() (*Result, error) {
	if c.simulator == nil {
		return nil, fmt.Errorf("%w: the program printed none, and %d lines that are none", backtest.ErrNoEvents, c.rejected)
	}

	result := &Result{Result: c.simulator.Finish(), Metrics: c.means.all(), Under: c.policy}
	result.Policy = c.policy.Label
	result.Document = c.policy.Document
	result.Rejected += c.rejected
	if c.recorder != nil {
		result.Recorded = c.recorder.Recording().Models[0]
	}
	return result, nil
}
