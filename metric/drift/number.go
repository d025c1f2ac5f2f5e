package drift

import (
	"math"
	"strconv"
)

// ln2 in two parts, of which the first times any exponent of a float is exact.
const (
	ln2High = 6.93147180369123816490e-01
	ln2Low  = 1.90821492927058770002e-10
)

// oddReciprocals are those of 23, 21, and so on to 3.
var oddReciprocals = [...]float64{1.0 / 23, 1.0 / 21, 1.0 / 19, 1.0 / 17, 1.0 / 15, 1.0 / 13, 1.0 / 11, 1.0 / 9, 1.0 / 7, 1.0 / 5, 1.0 / 3}

// logarithm is the natural logarithm of a positive float, within 2 units of its last
// place, from sums, products and quotients alone.
func logarithm(x float64) float64 {
	mantissa, power := math.Frexp(x)
	if mantissa < math.Sqrt2/2 {
		mantissa *= 2
		power--
	}

	// ln m = 2 (s + s³/3 + s⁵/5 + …) with s = (m-1)/(m+1), at most 0.172 in magnitude.
	s := (mantissa - 1) / (mantissa + 1)
	square := float64(s * s)
	sum := 0.0
	for _, reciprocal := range oddReciprocals {
		sum = float64((sum + reciprocal) * square)
	}
	series := float64(2*s) + float64(float64(2*s)*sum)
	exponent := float64(power)
	return float64(exponent*ln2High) + (series + float64(exponent*ln2Low))
}

func significant(x float64) float64 {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(x, 'e', 11, 64), 64)
	if err != nil {
		return x
	}
	return rounded
}

// Significant rounds to 12 significant digits, as values of drift are told.
func Significant(x float64) float64 { return significant(x) }

// MissingShare is the share of so many events that had no reading.
func MissingShare(events, readings int64) float64 {
	return significant(1 - float64(readings)/float64(events))
}

// normal is the value that a standard normal variable is below with probability p,
// more than 0 and less than 1: Wichura's algorithm AS 241 (Applied Statistics 37,
// 1988), within 1e-15 of it.
func normal(p float64) float64 {
	q := p - 0.5
	if math.Abs(q) <= 0.425 {
		r := 0.180625 - float64(q*q)
		return float64(q*polynomial(r, as241A[:])) / polynomial(r, as241B[:])
	}

	r := p
	if q > 0 {
		r = 1 - p
	}
	r = math.Sqrt(-logarithm(r))
	var value float64
	if r <= 5 {
		value = polynomial(r-1.6, as241C[:]) / polynomial(r-1.6, as241D[:])
	} else {
		value = polynomial(r-5, as241E[:]) / polynomial(r-5, as241F[:])
	}
	if q < 0 {
		return -value
	}
	return value
}

// polynomial has its coefficients from the constant one up.
func polynomial(x float64, coefficients []float64) (sum float64) {
	for i := len(coefficients) - 1; i >= 0; i-- {
		sum = float64(sum*x) + coefficients[i]
	}
	return sum
}

// The coefficients of AS 241.
var (
	as241A = [...]float64{
		3.3871328727963666080e0, 1.3314166789178437745e+2, 1.9715909503065514427e+3, 1.3731693765509461125e+4,
		4.5921953931549871457e+4, 6.7265770927008700853e+4, 3.3430575583588128105e+4, 2.5090809287301226727e+3,
	}
	as241B = [...]float64{
		1, 4.2313330701600911252e+1, 6.8718700749205790830e+2, 5.3941960214247511077e+3,
		2.1213794301586595867e+4, 3.9307895800092710610e+4, 2.8729085735721942674e+4, 5.2264952788528545610e+3,
	}
	as241C = [...]float64{
		1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
		1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4,
	}
	as241D = [...]float64{
		1, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
		1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9,
	}
	as241E = [...]float64{
		6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1,
		2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7,
	}
	as241F = [...]float64{
		1, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
		7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15,
	}
)
