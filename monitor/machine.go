package monitor

import (
	"time"

	"github.com/modelvigil/modelvigil/internal/clock"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/metric/table"
	"github.com/modelvigil/modelvigil/monitor/journal"
	"github.com/modelvigil/modelvigil/monitor/observation"
	"github.com/modelvigil/modelvigil/monitor/publisher"
	"github.com/modelvigil/modelvigil/monitor/retraining"
	"github.com/modelvigil/modelvigil/monitor/watch"
	"github.com/modelvigil/modelvigil/policy"
)

// Machine decides. It is pure and deterministic: the same inputs, with the same
// clock, give the same state, in one run or cut anywhere by a round trip of
// State through JSON. What it wants done follows from its state; see Wants.
//
// It is made of values that know nothing of it: what was seen of the model, the course
// of its retrainings, whom it has heard, and the journal of what it decided. It hands
// what comes in to them, and lets what the one finds lead to what the other does.
type Machine struct {
	journal.Journal   // what it hears of decisions and refusals, and where they are written
	retraining.Course // an operator's word, and a backend's
	*updates          // the answers that were given

	// OnJudged, where set, hears of each rule's word on a version as it falls. What it
	// is shown is valid until it returns.
	OnJudged func(*Judgement)
	// OnDigest, where set, hears of each digest that is counted.
	OnDigest func(now time.Time, d *metric.Digest)
	// OnBreath, where set, is called between two observations of one signal when the
	// machine has worked for some ten milliseconds since the last call.
	OnBreath func()

	state       State
	watch       watch.Watch
	publishers  publisher.Register
	row         table.Row               // the last event, and
	observation observation.Observation // the last observation, whose memory the next one takes
	work        int64                   // see Work
	breath      breath                  // when OnBreath is called
}

// NewMachine returns the machine of a model that was never watched before. The
// policy must be valid. requestBase is what its request ids begin with; it must
// differ from that of every earlier monitor of the model.
func NewMachine(modelName, requestBase string, policy policy.Policy) *Machine {
	return Restore(State{
		Version: StateVersion, ModelName: modelName, RequestBase: requestBase, Policy: policy.WithDefaults(),
	})
}

// Restore returns the machine that goes on from a state.
func Restore(state State) *Machine {
	m := &Machine{state: state}
	s := &m.state
	m.updates = &s.Updates
	m.Journal.Open(&s.Entries, s.ModelName, s.RequestBase, &s.Policy)
	m.watch.Open(&s.Seen, &s.Policy, s.Calendar, &s.Counters, &m.OnJudged)
	m.Course.Open(&s.Retrainings, s.ModelName, s.RequestBase, &s.Policy, &m.Journal, &m.watch)
	m.publishers.Open(&s.Known)
	return m
}

// State returns what the next run goes on from, within its bound. The machine
// must not be used after it.
func (m *Machine) State() State {
	m.Journal.Settle()
	m.state.fit()
	return m.state
}

// ModelName is whom the machine watches.
func (m *Machine) ModelName() string { return m.state.ModelName }

// Team is who owns the model, as its policy says.
func (m *Machine) Team() string { return m.state.Policy.Team }

// SetPolicy puts a valid policy in force. Its cooldown counts from the last
// trigger; a retraining in flight keeps the settings it was started with. What was
// measured for rules whose name, kind, metric, stat and periods stay the same is
// kept; what was judged of it is judged anew, or dropped where it can't be. The
// policy that is in force already is no change.
func (m *Machine) SetPolicy(now time.Time, wanted policy.Policy) {
	wanted = wanted.WithDefaults()
	if wanted.Equal(m.state.Policy) {
		return
	}

	now = clock.Plain(now)
	m.Journal.Settle()
	change := m.watch.Carry(now, m.state.passed(now), &wanted)
	m.Course.Carry(&wanted)
	m.state.Policy = wanted
	m.Journal.AdoptPolicy()
	m.Course.AdoptPolicy()
	m.watch.Rejudge(now, change)
	m.Journal.Decide(Decision{At: now, Kind: policy.PolicyChanged, Reason: change.Report()})
	m.Course.Reconsider(now, change)
}

// Reinstate puts the policy in force by which an earlier monitor watched the model,
// before the new one has judged anything; from says whose it was. The policy must be
// valid. The one that is in force already is no change.
func (m *Machine) Reinstate(now time.Time, wanted policy.Policy, from string) {
	wanted = wanted.WithDefaults()
	if wanted.Equal(m.state.Policy) {
		return
	}

	m.state.Policy = wanted
	m.state.Calendar = nil
	m.Journal.AdoptPolicy()
	m.Course.AdoptPolicy()
	m.watch.AdoptPolicy()
	m.Journal.Decide(Decision{At: clock.Plain(now), Kind: policy.PolicyChanged, Reason: from})
}
