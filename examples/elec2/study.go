package main

import (
	"errors"
	"fmt"
	"io"
)

// logisticWindow is how many days a logistic regression is trained on.
const logisticWindow = 56

// within is by how many points of accuracy a policy may be behind daily retraining.
const within = 0.5

// Study is what became of one learner on ELEC2.
type Study struct {
	*Matrix
	Static, Daily, Weekly, FiveDaily *Course
	Choices                          []*Choice // of families, in their order
	Tried                            []*Choice // of tried; without those that have nothing to choose
}

// Learners are those of the study: the tree, and logistic regression on the
// inputs as they are and standardised.
func Learners(stream Stream) ([]*Matrix, error) {
	if stream.Days() != treeDays {
		return nil, fmt.Errorf("must be %d days, as tree/matrix.py had, got %d", treeDays, stream.Days())
	}
	tree, err := TreeMatrix()
	if err != nil {
		return nil, err
	}

	plain, err := NewMatrix(stream, "logistic regression", logisticWindow, false)
	if err != nil {
		return nil, err
	}

	standardised, err := NewMatrix(stream, "logistic regression, standardised", logisticWindow, true)
	return []*Matrix{tree, plain, standardised}, err
}

// NewStudy runs one learner under all schedules.
func NewStudy(m *Matrix) (*Study, error) {
	s := &Study{
		Matrix:    m,
		Static:    Fixed(m, "static", m.Days, Never),
		Daily:     Fixed(m, "daily", m.Days, Always),
		Weekly:    Fixed(m, "weekly", m.Days, Every(m.First(), 7, 0)),
		FiveDaily: Fixed(m, "every 5 days", m.Days, Every(m.First(), 5, 0)),
	}
	for i := range families {
		choice, err := Choose(m, &families[i])
		if err != nil {
			return nil, err
		}
		s.Choices = append(s.Choices, choice)
	}

	for i := range tried {
		choice, err := Choose(m, &tried[i])
		switch {
		case errors.Is(err, errNoneInBounds):
			choice = &Choice{Family: &tried[i]}
		case err != nil:
			return nil, err
		}
		s.Tried = append(s.Tried, choice)
	}

	return s, nil
}

// span is a part of the stream.
type span struct {
	name        string
	from, until int
}

func (s *Study) spans() []span {
	return []span{
		{"on the last 70 %, which no choice has seen", s.Split(), s.Days},
		{"on the whole stream", s.First(), s.Days},
	}
}

// Goals are what a policy was held against on a span.
type Goals struct {
	Retrainings, Of int     // and daily's
	Accuracy        float64 // of the course
	Periodic        float64 // of as many retrainings, evenly spaced
	Ahead, Error    float64 // of periodic, in points, and the standard error
	Behind          float64 // daily, in points
}

// Goals holds a course against periodic and daily retraining.
func (s *Study) Goals(c *Course, from, until int) Goals {
	g := Goals{Retrainings: c.Retrainings(from, until), Of: s.Daily.Retrainings(from, until), Accuracy: c.Accuracy(from, until)}
	if g.Retrainings > 0 {
		periodic := PeriodicOf(s.Matrix, g.Retrainings, from, until)
		g.Periodic = periodic.Accuracy(from, until)
		g.Ahead, g.Error = c.Ahead(periodic.Right, from, until)
	}
	g.Behind = 100 * (s.Daily.Accuracy(from, until) - g.Accuracy)
	return g
}

// Few says that at most a fifth of daily's retrainings were needed.
func (g Goals) Few() bool { return float64(g.Retrainings) <= goalShare*float64(g.Of) }

// Better says that as many retrainings, evenly spaced, are worse.
func (g Goals) Better() bool { return g.Ahead > 0 }

// Close says that daily retraining is not far ahead.
func (g Goals) Close() bool { return g.Behind <= within }

// Stretch says that it is not ahead at all.
func (g Goals) Stretch() bool { return g.Behind <= 0 }

// Print prints a learner's tables.
func (s *Study) Print(out io.Writer) error {
	for _, span := range s.spans() {
		t := newTable(out, fmt.Sprintf("ELEC2, %s, %s: %d days", s.Learner, span.name, span.until-span.from),
			"schedule", "parameters", "retrainings", "of daily's", "accuracy", "to daily", "periodic, as many", "ahead of it")
		daily := s.Daily.Accuracy(span.from, span.until)
		for _, c := range []*Course{s.Static, s.Daily, s.FiveDaily, s.Weekly} {
			accuracy, n := c.Accuracy(span.from, span.until), c.Retrainings(span.from, span.until)
			t.row(c.Name, "", n, share(n, s.Daily.Retrainings(span.from, span.until)), points(accuracy), signed(100*(accuracy-daily)), "", "")
		}

		for _, choice := range s.Choices {
			s.row(t, choice, span)
		}
		t.row("tried:")
		for _, choice := range s.Tried {
			s.row(t, choice, span)
		}
		if err := t.print(); err != nil {
			return err
		}
	}

	return nil
}

func (s *Study) row(t *table, choice *Choice, span span) {
	if choice.Course == nil {
		t.row(choice.File, "none retrains as often as it should")
		return
	}
	g := s.Goals(choice.Course, span.from, span.until)
	t.row(choice.File, choice.String(), g.Retrainings, share(g.Retrainings, g.Of), points(g.Accuracy), signed(-g.Behind),
		points(g.Periodic), fmt.Sprintf("%s ± %.2f", signed(g.Ahead), g.Error))
}

// PrintGoals prints whether the recommended policy meets the goals, for all learners.
func PrintGoals(out io.Writer, studies []*Study) error {
	t := newTable(out, fmt.Sprintf("Goals, %s, on the last 70 %%", families[0].File),
		"learner", "at most 1/5 of daily's", "above periodic, as many", "within 0.5 points of daily", "stretch: daily's own")
	for _, s := range studies {
		g := s.Goals(s.Choices[0].Course, s.Split(), s.Days)
		t.row(s.Learner, met(g.Few(), share(g.Retrainings, g.Of)), met(g.Better(), fmt.Sprintf("%s ± %.2f", signed(g.Ahead), g.Error)),
			met(g.Close(), signed(-g.Behind)), met(g.Stretch(), signed(-g.Behind)))
	}

	if err := t.print(); err != nil {
		return err
	}

	t = newTable(out, fmt.Sprintf("Retraining again within 2 cooldowns, %s, on the whole stream", families[0].File),
		"learner", "retrainings", "again the next night", "in vain")
	for _, s := range studies {
		again, inVain := s.Choices[0].Course.Repeats(s.Matrix)
		t.row(s.Learner, len(s.Choices[0].Course.Retrained), again, inVain)
	}

	return t.print()
}

func share(n, of int) string { return fmt.Sprintf("%.1f %%", 100*float64(n)/float64(of)) }

func points(accuracy float64) string { return fmt.Sprintf("%.2f %%", 100*accuracy) }

func signed(points float64) string { return fmt.Sprintf("%+.2f", points) }

func met(is bool, what string) string {
	if is {
		return "met: " + what
	}
	return "not met: " + what
}
