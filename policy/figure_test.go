package policy_test

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/modelvigil/modelvigil/policy"
)

func TestFiguresHaveTheDigitsThatMatter(t *testing.T) {
	accuracy := policy.Below("accuracy", 0.95)
	latency := policy.Above("latency_ms", 250)
	tests := map[string]struct {
		rule             policy.Rule
		value, threshold float64
		want             string
	}{
		"four decimals":                         {accuracy, 0.8, 0.95, "accuracy 0.8000 below threshold 0.9500"},
		"nought":                                {accuracy, 0, 0.95, "accuracy 0.0000 below threshold 0.9500"},
		"nought has no sign":                    {accuracy, math.Copysign(0, -1), 0.95, "accuracy 0.0000 below threshold 0.9500"},
		"what four decimals say exactly":        {accuracy, 0.0001, 0.0005, "accuracy 0.0001 below threshold 0.0005"},
		"p-values":                              {accuracy, 1.25e-9, 1e-6, "accuracy 1.25e-09 below threshold 1e-06"},
		"a small value, an everyday threshold":  {accuracy, 0.00001234, 0.05, "accuracy 1.234e-05 below threshold 0.0500"},
		"a negative one":                        {accuracy, -0.00001234, 0, "accuracy -1.234e-05 below threshold 0.0000"},
		"a value next to its threshold":         {accuracy, 0.94996, 0.95, "accuracy 0.94996 below threshold 0.95000"},
		"small ones next to each other":         {accuracy, 1.00001e-9, 1.00002e-9, "accuracy 1.00001e-09 below threshold 1.00002e-09"},
		"milliseconds":                          {latency, 312, 250, "latency 312.00ms above threshold 250.00ms"},
		"microseconds":                          {latency, 0.00162, 0.001, "latency 0.00162ms above threshold 0.001ms"},
		"a latency that is hardly too long":     {latency, 250.004, 250, "latency 250.004ms above threshold 250.000ms"},
		"the last digit that a float64 can say": {accuracy, math.Nextafter(0.8, 0), 0.8, "accuracy 0.7999999999999999 below threshold 0.8000000000000000"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, test.rule.BreachReason(test.value, test.threshold))
		})
	}
}

func TestFiguresTellNumbersApartAndStayNearThem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.Custom(func(t *rapid.T) float64 {
			return rapid.Float64Range(-10, 10).Draw(t, "digits") * math.Pow10(rapid.IntRange(-300, 6).Draw(t, "power"))
		})
		value := number.Draw(t, "value")
		other := rapid.OneOf(number, rapid.Just(value), rapid.Just(math.Nextafter(value, 99))).Draw(t, "other")
		rule := policy.Rule{Metric: rapid.SampledFrom([]string{"accuracy", "latency_ms"}).Draw(t, "metric")}

		figures := rule.Figures(value, other)

		assert.Equal(t, value == other, figures[0] == figures[1], "%v", figures)
		for i, want := range []float64{value, other} {
			got, err := strconv.ParseFloat(strings.TrimSuffix(figures[i], "ms"), 64)
			assert.NoError(t, err)
			assert.InDelta(t, want, got, math.Abs(want)*0.05, "two significant digits at least: %s", figures[i])
		}
		if everyday := fmt.Sprintf("%.4f", value); rule.Metric == "accuracy" && math.Abs(value) >= 0.001 && value == other {
			assert.Equal(t, everyday, figures[0])
		}
	})
}
