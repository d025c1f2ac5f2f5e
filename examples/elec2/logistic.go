package main

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// Logistic is a logistic regression.
type Logistic struct {
	Weights   []float64 // of the inputs as they are; no scaling is left to do
	Intercept float64
}

// Predict says whether the label is more likely true than not.
func (l *Logistic) Predict(x []float64) bool { return l.Intercept+floats.Dot(l.Weights, x) > 0 }

const (
	// ridge is the weight of half the squared norm of the weights in what is
	// minimised beside the sum of log-losses: scikit-learn's 1/C at its default.
	ridge         = 1.0
	maxNewton     = 50
	newtonSettled = 1e-8 // the largest step, at which it has settled
)

// FitLogistic fits a regression by Newton's method. With scale, inputs are
// standardised on these samples first, so that the penalty treats all alike.
func FitLogistic(samples []Sample, scale bool) (*Logistic, error) {
	if len(samples) == 0 {
		return nil, errors.New("fit a logistic regression: there are no samples")
	}

	inputs := len(samples[0].X)
	shift, width := make([]float64, inputs), make([]float64, inputs)
	for j := range inputs {
		width[j] = 1
		if scale {
			shift[j], width[j] = spread(samples, j)
		}
	}

	design := mat.NewDense(len(samples), inputs+1, nil)
	for i := range samples {
		row := design.RawRowView(i)
		for j, x := range samples[i].X {
			row[j] = (x - shift[j]) / width[j]
		}
		row[inputs] = 1
	}

	beta, err := newton(design, samples)
	if err != nil {
		return nil, fmt.Errorf("fit a logistic regression to %d samples: %w", len(samples), err)
	}

	fitted := &Logistic{Weights: beta[:inputs], Intercept: beta[inputs]}
	for j := range fitted.Weights {
		fitted.Weights[j] /= width[j]
		fitted.Intercept -= fitted.Weights[j] * shift[j]
	}

	return fitted, nil
}

// spread is an input's mean and standard deviation; that of a constant is 1.
func spread(samples []Sample, input int) (mean, deviation float64) {
	values := make([]float64, len(samples))
	for i := range samples {
		values[i] = samples[i].X[input]
	}
	mean, deviation = stat.PopMeanStdDev(values, nil)
	if deviation < 1e-12 {
		deviation = 1
	}
	return mean, deviation
}

// newton minimises the penalised log-loss; the last column, the intercept's, is
// not penalised.
func newton(design *mat.Dense, samples []Sample) ([]float64, error) {
	n, k := design.Dims()
	beta, step, gradient := make([]float64, k), mat.NewVecDense(k, nil), mat.NewVecDense(k, nil)
	weighted := mat.NewDense(n, k, nil)
	var hessian mat.Dense
	var factors mat.Cholesky
	for range maxNewton {
		gradient.Zero()
		for i := range n {
			row := design.RawRowView(i)
			p := 1 / (1 + math.Exp(-floats.Dot(beta, row)))
			residual := p
			if samples[i].Up {
				residual--
			}
			floats.AddScaled(gradient.RawVector().Data, residual, row)
			floats.ScaleTo(weighted.RawRowView(i), p*(1-p), row)
		}

		hessian.Mul(design.T(), weighted)
		for j := range k - 1 {
			hessian.Set(j, j, hessian.At(j, j)+ridge)
			gradient.SetVec(j, gradient.AtVec(j)+ridge*beta[j])
		}

		hessian.Set(k-1, k-1, hessian.At(k-1, k-1)+1e-9) // all of one class: it goes far, not nowhere
		if !factors.Factorize(mat.NewSymDense(k, hessian.RawMatrix().Data)) {
			return nil, errors.New("the Hessian is not positive definite")
		}
		if err := factors.SolveVecTo(step, gradient); err != nil {
			return nil, err
		}

		floats.Sub(beta, step.RawVector().Data)
		if mat.Norm(step, math.Inf(1)) < newtonSettled {
			return beta, nil
		}
	}

	return beta, nil
}
