package learner

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/optimize"
	"gonum.org/v1/gonum/stat"

	"github.com/modelvigil/modelvigil/demo/stream"
)

// defaultL2 keeps the weights finite where a line parts the classes, and is too
// weak to be seen elsewhere.
const defaultL2 = 1e-3

const (
	// maxIterations is far above what a fit takes, which is 10 to about 100.
	maxIterations = 500
	// gradientGoal ends a fit: no weight's slope of the mean loss is steeper. More
	// digits change no prediction.
	gradientGoal = 1e-6
	// constantScale is the standard deviation, relative to the mean, up to which an
	// input is taken for constant; a constant sums up to rounding errors only.
	constantScale = 1e-12
)

// Options say how a model is fitted. The zero value is a plain logistic
// regression without a version name.
type Options struct {
	Version string
	// Quadratic adds the inputs' squares and products of two to the features.
	Quadratic bool
	// L2 is the penalty on the squared weights, half of it per sample's loss; above
	// 0, and 0 means 0.001. The bias is not penalised.
	L2 float64
}

// Fit learns a logistic regression from the samples: it minimises the mean log
// loss plus the L2 penalty over standardised features, by gonum's L-BFGS. The
// same samples give the same model. Samples of one class only, of differing
// lengths or with values that are not finite are errors, which say which sample.
func Fit(samples []stream.Sample, options Options) (*Model, error) {
	if options.L2 == 0 {
		options.L2 = defaultL2
	}
	if !(options.L2 > 0) || math.IsInf(options.L2, 0) {
		return nil, fmt.Errorf("fit: l2: must be a finite number above 0, got %v", options.L2)
	}
	if len(samples) == 0 {
		return nil, errors.New("fit: samples: must not be empty")
	}
	if err := stream.Check(samples, 0); err != nil {
		return nil, fmt.Errorf("fit: %w", err)
	}
	if err := checkClasses(samples); err != nil {
		return nil, fmt.Errorf("fit: %w", err)
	}

	model := &Model{Version: options.Version, TrainedOn: len(samples), Quadratic: options.Quadratic}
	model.Means, model.Scales = standardise(samples)
	loss := newLogLoss(model, samples, options.L2)
	result, err := optimize.Minimize(
		optimize.Problem{Func: loss.value, Grad: loss.gradient},
		make([]float64, 1+loss.width),
		&optimize.Settings{GradientThreshold: gradientGoal, MajorIterations: maxIterations},
		&optimize.LBFGS{})
	if err != nil && !settled(result) {
		return nil, fmt.Errorf("fit %d samples of %d features by l-bfgs: %w", len(samples), loss.width, err)
	}
	if result.Status == optimize.IterationLimit {
		return nil, fmt.Errorf("fit %d samples of %d features by l-bfgs: no minimum in %d iterations; a higher l2 than %v helps",
			len(samples), loss.width, maxIterations, options.L2)
	}

	model.Bias = result.X[0]
	model.Weights = result.X[1:]
	return model, nil
}

// settled says that a line search which gave up did so at the minimum, where
// rounding leaves it nothing to gain.
func settled(result *optimize.Result) bool {
	return result != nil && result.Gradient != nil && floats.Norm(result.Gradient, math.Inf(1)) < 100*gradientGoal
}

func checkClasses(samples []stream.Sample) error {
	for _, sample := range samples {
		if sample.Y != samples[0].Y {
			return nil
		}
	}
	return fmt.Errorf("samples: must be of both classes, all %d are %t", len(samples), samples[0].Y)
}

func standardise(samples []stream.Sample) (means, scales []float64) {
	column := make([]float64, len(samples))
	for j := range samples[0].X {
		for i, sample := range samples {
			column[i] = sample.X[j]
		}
		mean, scale := stat.PopMeanStdDev(column, nil)
		if scale <= constantScale*math.Abs(mean) {
			scale = 1
		}
		means = append(means, mean)
		scales = append(scales, scale)
	}

	return means, scales
}

// logLoss is the function that Fit minimises, over the bias and the weights.
type logLoss struct {
	rows  []float64 // the samples' features, one after the other
	width int       // features
	signs []float64 // +1 for the class true, -1 for false
	l2    float64
}

func newLogLoss(model *Model, samples []stream.Sample, l2 float64) *logLoss {
	width := features(model.Inputs(), model.Quadratic)
	loss := &logLoss{
		rows:  make([]float64, 0, width*len(samples)),
		width: width,
		signs: make([]float64, len(samples)),
		l2:    l2,
	}
	for i, sample := range samples {
		loss.rows = model.appendFeatures(loss.rows, sample.X)
		loss.signs[i] = -1
		if sample.Y {
			loss.signs[i] = 1
		}
	}

	return loss
}

func (l *logLoss) row(i int) []float64 { return l.rows[i*l.width : (i+1)*l.width] }

func (l *logLoss) value(at []float64) float64 {
	bias, weights := at[0], at[1:]
	sum := 0.0
	for i, sign := range l.signs {
		sum += softplus(-sign * (bias + floats.Dot(weights, l.row(i))))
	}
	return sum/float64(len(l.signs)) + l.l2/2*floats.Dot(weights, weights)
}

func (l *logLoss) gradient(slope, at []float64) {
	bias, weights := at[0], at[1:]
	clear(slope)
	for i, sign := range l.signs {
		row := l.row(i)
		wrong := -sign * sigmoid(-sign*(bias+floats.Dot(weights, row)))
		slope[0] += wrong
		floats.AddScaled(slope[1:], wrong, row)
	}
	floats.Scale(1/float64(len(l.signs)), slope)
	floats.AddScaled(slope[1:], l.l2, weights)
}

// softplus is log(1 + exp(x)), without taking the exponential of a large number.
func softplus(x float64) float64 {
	return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x)))
}
