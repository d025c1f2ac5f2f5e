package main

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"fmt"
	"io"
	"runtime"

	"golang.org/x/sync/errgroup"
)

// Matrix holds how many of a day's predictions are right, for each day at whose
// end a model may be trained and each later day it may be judged on. It makes any
// schedule of retraining a walk, and training in closed loop as exact as training
// on the spot: what a model learns depends on nothing but the day.
type Matrix struct {
	Learner string
	Window  int       // days that a model is trained on
	Days    int       // of the stream
	right   [][]uint8 // by the day trained, from Window-1; then by the day judged, from the next
}

// First is the first day that is judged: the first model was trained the day before.
func (m *Matrix) First() int { return m.Window }

// Judged is how many days are judged.
func (m *Matrix) Judged() int { return m.Days - m.Window }

// Right is how many of the HalfHours predictions for a day were right, by the
// model trained at the end of an earlier one.
func (m *Matrix) Right(trained, judged int) int {
	return int(m.right[trained-m.Window+1][judged-trained-1])
}

// NewMatrix trains a logistic regression at the end of every day, on the days of
// the window, and judges it on all later days.
func NewMatrix(stream Stream, learner string, window int, scale bool) (*Matrix, error) {
	m := &Matrix{Learner: learner, Window: window, Days: stream.Days()}
	m.right = make([][]uint8, m.Days-window)
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range m.right {
		group.Go(func() error {
			trained := window - 1 + i
			model, err := FitLogistic(stream.Window(trained, window), scale)
			if err != nil {
				return err
			}

			m.right[i] = make([]uint8, m.Days-trained-1)
			for judged := trained + 1; judged < m.Days; judged++ {
				m.right[i][judged-trained-1] = uint8(countRight(model, stream.Day(judged)))
			}
			return nil
		})
	}

	return m, group.Wait()
}

func countRight(model *Logistic, samples []Sample) (right int) {
	for i := range samples {
		if model.Predict(samples[i].X) == samples[i].Up {
			right++
		}
	}
	return right
}

// treeAccuracy is what tree/matrix.py has written.
//
//go:embed testdata/tree-accuracy.gz
var treeAccuracy []byte

// The decision tree's window, and the days of the stream, as tree/matrix.py has them.
const (
	treeWindow = 28
	treeDays   = 944
)

// TreeMatrix is that of scikit-learn's decision trees of depth 8, which
// tree/matrix.py has trained.
func TreeMatrix() (*Matrix, error) {
	packed, err := gzip.NewReader(bytes.NewReader(treeAccuracy))
	if err != nil {
		return nil, fmt.Errorf("read the trees' accuracy: %w", err)
	}
	counts, err := io.ReadAll(packed)
	if err != nil {
		return nil, fmt.Errorf("read the trees' accuracy: %w", err)
	}

	m := &Matrix{Learner: "decision tree", Window: treeWindow, Days: treeDays}
	if pairs := m.Judged() * (m.Judged() + 1) / 2; len(counts) != pairs {
		return nil, fmt.Errorf("read the trees' accuracy: must be %d pairs of days, got %d; run tree/matrix.py again", pairs, len(counts))
	}

	for trained := treeWindow - 1; trained < treeDays-1; trained++ {
		later := treeDays - trained - 1
		m.right = append(m.right, counts[:later])
		counts = counts[later:]
	}

	return m, nil
}
