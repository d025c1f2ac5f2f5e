package drift

// Level is with which probability one look at one metric, of which nothing has
// changed, is to breach, so that a rule breaches at a look with probability perLook:
// the rule breaches while breaching of its last of datapoints do, and a datapoint does
// when at least atLeast of metrics do. All are taken as if independent. ok is false
// where perLook is no probability above 0 and below 1.
func Level(perLook float64, breaching, of, atLeast, metrics int) (level float64, ok bool) {
	if !(perLook > 0 && perLook < 1) || atLeast > metrics {
		return 0, false
	}
	perDatapoint := solve(perLook, of, breaching)
	return solve(perDatapoint, metrics, atLeast), true
}

// solve finds the probability of one of n, of which at least k come with probability
// wanted.
func solve(wanted float64, n, k int) float64 {
	if n == 1 {
		return wanted
	}

	low, high := 0.0, 1.0
	for range 100 {
		middle := (low + high) / 2
		if atLeast(middle, n, k) < wanted {
			low = middle
		} else {
			high = middle
		}
	}
	return significant((low + high) / 2)
}

// atLeast is the probability that at least k of n come, of which each does with
// probability p.
func atLeast(p float64, n, k int) float64 {
	// The smaller tail is summed up, so that what is rare keeps its digits.
	sum := 0.0
	for i := k; i <= n; i++ {
		sum += term(p, n, i)
	}
	return sum
}

// term is the probability that exactly k of n come.
func term(p float64, n, k int) float64 {
	probability := 1.0
	for i := 1; i <= n; i++ {
		factor := 1 - p
		if i <= k {
			factor = float64(p*float64(n-k+i)) / float64(i)
		}
		probability = float64(probability * factor)
	}
	return probability
}
