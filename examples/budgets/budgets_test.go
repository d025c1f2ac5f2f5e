package main

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// concepts are the benchmark's.
func concepts(t *testing.T) []Concepts {
	t.Helper()
	all, err := Published()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 10 {
		t.Fatalf("%d concepts, want 10", len(all))
	}
	return all
}

func TestAConceptTurnsAsItsDriftSays(t *testing.T) {
	for _, want := range []struct {
		kind  string
		t     int
		share float64
	}{
		{"abrupt", 4999, 0},
		{"abrupt", 5000, 1},
		{"gradual", 5000, 0},
		{"gradual", 5250, 0.25},
		{"gradual", 6000, 1},
		{"recurring", 4999, 0},
		{"recurring", 5999, 1},
		{"recurring", 6000, 0},
		{"recurring", 7000, 1},
	} {
		if got := share(want.kind, want.t); got != want.share {
			t.Errorf("%s at %d: %v, want %v", want.kind, want.t, got, want.share)
		}
	}
}

func TestAModelLearnsItsConcept(t *testing.T) {
	c := concepts(t)[0]
	stream := c.Stream("abrupt", 0)
	model := Train(stream[:2000], rand.New(rand.NewPCG(1, 1)))
	hits := 0
	for i := 2000; i < 4000; i++ {
		if model.IsRight(&stream[i]) {
			hits++
		}
	}
	if hits < 1400 {
		t.Errorf("%d of 2000 right", hits)
	}
}

// answers are the samples at which a schedule retrains while a model is right at all samples before the
// first of wrong, and wrong from there on.
func answers(s Schedule, samples, wrong int) (retrained []int) {
	for t := range samples {
		if s.Retrain(t, t < wrong) {
			retrained = append(retrained, t)
		}
	}
	return retrained
}

func TestEverySpentBudgetStaysSpentAndLatencyIsKept(t *testing.T) {
	ours, err := ReadPolicy(policyName)
	if err != nil {
		t.Fatal(err)
	}
	cell := Cell{"abrupt", 5, 100, 5}
	for name, schedule := range map[string]func(Cell) Schedule{
		"calendar": Calendar, "threshold": Threshold, "hoeffding": Hoeffding, "ours": Under(ours),
	} {
		got := answers(schedule(cell), samples, 1000)
		if len(got) == 0 || len(got) > cell.Budget {
			t.Errorf("%s: %d retrainings, want 1 to %d", name, len(got), cell.Budget)
		}
		for i := 1; i < len(got); i++ {
			if got[i]-got[i-1] < cell.latency() {
				t.Errorf("%s: retrainings at %d and %d", name, got[i-1], got[i])
			}
		}
		if name != "calendar" && got[0] < 1000 {
			t.Errorf("%s: a retraining at %d, of a model that is always right", name, got[0])
		}
	}
}

func TestTheCalendarSpendsItsBudgetEvenly(t *testing.T) {
	got := answers(Calendar(Cell{"abrupt", 5, 10, 1}), samples, 0)
	if len(got) != 5 || got[0] != 0 || got[4] != 8000 {
		t.Errorf("got %v", got)
	}
}

func TestThePolicysThresholdsAreAmongThoseThatAreSwept(t *testing.T) {
	all, err := Candidates()
	if err != nil {
		t.Fatal(err)
	}
	file, err := ReadPolicy(policyName)
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for i := range all {
		bad := all[i].Policy.Rules[0].Below
		dull := all[i].Policy.Rules[1].Below
		found = found || bad == file.Rules[0].Below && dull == file.Rules[1].Below
	}
	if !found {
		t.Error("the file's thresholds are none of the candidates'")
	}
}

// A small version of the study: a stream each of the benchmark's concepts, in the
// nine cells of the lowest latency.
func TestThePolicyIsAheadOfTheCalendarInMostCells(t *testing.T) {
	ours, err := ReadPolicy(policyName)
	if err != nil {
		t.Fatal(err)
	}
	ahead, cells := 0, Cells(latencies[0])
	for _, cell := range cells {
		calendar := RunAll(concepts(t), 1, cell, Calendar)
		watched := RunAll(concepts(t), 1, cell, Under(ours))
		if watched.Retrainings() > float64(cell.Budget) {
			t.Errorf("%v: %.1f retrainings", cell, watched.Retrainings())
		}
		if by, _ := watched.Ahead(calendar); by > 0 {
			ahead++
		}
	}
	if ahead < 8 {
		t.Errorf("ahead in %d of %d cells, want 8", ahead, len(cells))
	}
}

func TestTheCalendarRunAgainIsThePublishedOne(t *testing.T) {
	published, err := ReadPublished(os.Getenv("BUDGETS_PUBLISHED"))
	if errors.Is(err, errNoTable) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range Reproduce(concepts(t), streams, published) {
		if apart := r.Again - r.Published; apart < -tolerance || apart > tolerance {
			t.Errorf("%v: %.4f, published %.4f", r.Cell, r.Again, r.Published)
		}
	}
}

func TestATableThatIsWrongIsExplained(t *testing.T) {
	head := "policy,drift,budget,retrain_latency,deploy_latency,overall_accuracy\n"
	for text, want := range map[string]string{
		"":                                    "is empty",
		"policy,drift\n":                      `there is no column "budget"`,
		head + "periodic,abrupt,x,10,1,0.7\n": "row 2",
	} {
		name := filepath.Join(t.TempDir(), "published.csv")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadPublished(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}
