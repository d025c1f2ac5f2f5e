package main

import (
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
)

// SEA is the stream of Street & Kim, "A streaming ensemble algorithm (SEA) for
// large-scale classification", KDD 2001: three features, uniform from 0 to 10, of
// which the first two count: the label is true where their sum is at most theta.
const (
	seaNoise   = 0.10 // share of labels that are turned round: nobody is right on more than 0.90
	seaPerHour = 1000 // events, evenly spaced; a period of the policies is an hour
	seaTrained = 3000 // events that a model is trained on, the last ones
	// seaTraining is how long a training takes, after which the last seaTrained
	// events are all from after the trigger.
	seaTraining = 3 * time.Hour
)

// seaConcepts are the thetas of the original stream, in its order.
var seaConcepts = []float64{8, 9, 7, 9.5}

// Drift is how a stream goes from one concept to the next.
type Drift struct {
	Event int     // the first at which the next concept is possible
	Over  int     // events until it is certain; 0 for at once
	Theta float64 // of the concept after it
}

// SEAStream is a stream of so many events. Its drifts don't overlap.
type SEAStream struct {
	Seed   uint64
	Events int
	Theta  float64 // of the first concept
	Drifts []Drift // ascending
	// Observed, where set, hears of each event that the policy does.
	Observed func(*metric.Event)
}

// theta is an event's concept. In a gradual drift the next concept comes ever more often.
func (s *SEAStream) theta(event int, random *rand.Rand) float64 {
	theta := s.Theta
	for _, d := range s.Drifts {
		switch {
		case event < d.Event:
			return theta
		case event >= d.Event+d.Over || random.IntN(d.Over) < event-d.Event:
			theta = d.Theta
		}
	}
	return theta
}

// SEACourse is what became of a stream under a policy.
type SEACourse struct {
	Triggers []int // the events before which retrainings were asked for
	Accuracy float64
}

var seaBegins = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

// Watch runs the stream past a logistic regression that the policy watches. The
// first model is trained on seaTrained events before the stream begins.
func (s *SEAStream) Watch(policy policy.Policy) (*SEACourse, error) {
	random := rand.New(rand.NewPCG(s.Seed, 2001))
	last := make([]Sample, seaTrained) // a ring
	draw := func(event int) *Sample {
		sample := &last[(event+seaTrained)%seaTrained]
		sample.X = append(sample.X[:0], 10*random.Float64(), 10*random.Float64(), 10*random.Float64())
		sample.Up = (sample.X[0]+sample.X[1] <= s.theta(event, random)) != (random.Float64() < seaNoise)
		return sample
	}

	for event := -seaTrained; event < 0; event++ {
		draw(event)
	}
	model, err := FitLogistic(last, true)
	if err != nil {
		return nil, err
	}

	loop := NewLoop("sea", policy)
	observed := metric.Event{ModelName: "sea", ModelVersion: "0"}
	course, right := &SEACourse{}, 0
	var requestID string
	var ready time.Time
	for event := range s.Events {
		observed.Timestamp = seaBegins.Add(time.Duration(event) * (time.Hour / seaPerHour))
		loop.Advance(observed.Timestamp)
		if id, wanted := loop.Wanted(observed.Timestamp); wanted {
			requestID = id
			ready = observed.Timestamp.Add(seaTraining)
			course.Triggers = append(course.Triggers, event)
		}
		if requestID != "" && !observed.Timestamp.Before(ready) {
			model, err = FitLogistic(last, true)
			if err != nil {
				return nil, err
			}
			observed.ModelVersion = strconv.Itoa(len(course.Triggers))
			loop.Retrained(observed.Timestamp, requestID, observed.ModelVersion)
			requestID = ""
		}

		sample, hit := draw(event), 0.0
		if model.Predict(sample.X) == sample.Up {
			hit = 1
			right++
		}

		observed.Accuracy = metric.Some(hit)
		loop.Observe(&observed)
		if s.Observed != nil {
			s.Observed(&observed)
		}
	}

	course.Accuracy = float64(right) / float64(s.Events)
	return course, nil
}
