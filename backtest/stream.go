package backtest

import (
	"cmp"
	"context"
	"maps"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/modelvigil/modelvigil/backtest/recording"
	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/metric/table"
)

// Stream replays events as they are read, so that memory does not grow with them.
// They must come in the order of their arrival, model by model; where they don't,
// Add answers recording.ErrOrder.
type Stream struct {
	policies []Policy
	options  Options
	lanes    []*lane           // one a policy
	models   map[string]*heard // by name
	rejected int64
}

// heard is what is known of a model but for what policies make of it.
type heard struct {
	last     time.Time // when its last event arrived
	rejected int64
}

// lane is one policy over all models. It is for one goroutine at a time.
type lane struct {
	policy     Policy
	simulators map[string]*Simulator
	last       *Simulator
	lastModel  string
	row        table.Row
}

// NewStream returns a replay of events that are still to come. The policies must be
// valid.
func NewStream(policies []Policy, options Options) *Stream {
	options.Bounds = cmp.Or(options.Bounds, &Bounds{})
	s := &Stream{policies: policies, options: options, models: map[string]*heard{}}
	for _, policy := range policies {
		s.lanes = append(s.lanes, &lane{policy: policy, simulators: map[string]*Simulator{}})
	}
	return s
}

// Add replays a batch.
func (s *Stream) Add(ctx context.Context, b *recording.Batch) error {
	if err := s.checkOrder(b); err != nil {
		return err
	}
	for _, model := range b.Rejected() {
		s.rejected++
		if contract.ValidateModelName(model) == nil {
			s.model(model).rejected++
		}
	}
	if len(s.lanes) == 1 {
		s.lanes[0].add(b, s.options)
		return ctx.Err()
	}

	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, lane := range s.lanes {
		group.Go(func() error {
			lane.add(b, s.options)
			return ctx.Err()
		})
	}

	return group.Wait()
}

func (s *Stream) checkOrder(b *recording.Batch) error {
	var model *heard
	name := ""
	for i := range b.Len() {
		if model == nil || name != b.Model(i) {
			name = b.Model(i)
			model = s.model(name)
		}

		clock := b.Clock(i)
		if clock.Before(model.last) {
			return recording.ErrOrder
		}
		model.last = clock
	}
	return nil
}

func (s *Stream) model(name string) *heard {
	model := s.models[name]
	if model == nil {
		model = &heard{}
		s.models[name] = model
	}
	return model
}

func (l *lane) add(b *recording.Batch, options Options) {
	for i := range b.Len() {
		name := b.Model(i)
		if l.policy.ModelName != "" && l.policy.ModelName != name {
			continue
		}

		arrived := b.Row(i, &l.row)
		if l.last == nil || l.lastModel != name {
			l.last = l.simulator(name, options)
			l.lastModel = name
		}
		l.last.ObserveRow(&l.row, arrived)
	}
}

func (l *lane) simulator(model string, options Options) *Simulator {
	simulator := l.simulators[model]
	if simulator == nil {
		simulator = NewSimulator(model, l.policy.Policy, options)
		l.simulators[model] = simulator
	}
	return simulator
}

// Rejected is how many rows could not be taken, whosesoever.
func (s *Stream) Rejected() int64 { return s.rejected }

// Models are those that events or rejected rows were of, by name.
func (s *Stream) Models() []string { return sortedKeys(s.models) }

// Finish lets the clocks run on and returns what Run returns of a recording of the
// same events. The stream must not be used after it.
func (s *Stream) Finish() ([]Result, error) {
	if len(s.models) == 0 {
		return nil, ErrNoEvents
	}

	var results []Result
	for _, l := range s.lanes {
		names := sortedKeys(s.models)
		if l.policy.ModelName != "" {
			names = []string{l.policy.ModelName}
		}
		for _, name := range names {
			result := l.simulator(name, s.options).Finish()
			result.name(l.policy)
			switch model := s.models[name]; {
			case len(s.models) == 1 && model != nil:
				result.Rejected += s.rejected
			case model != nil:
				result.Rejected += model.rejected
			}
			results = append(results, result)
		}
	}

	return results, nil
}

func sortedKeys[V any](all map[string]V) []string { return slices.Sorted(maps.Keys(all)) }
