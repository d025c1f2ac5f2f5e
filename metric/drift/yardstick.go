package drift

import (
	"math"
	"slices"
	"sync"
)

// yardstick measures a statistic of periods against one reference again and again, as
// Statistic.of does it, but in terms of what is known before: the reference's shares, and
// the logarithms of small counts.
type yardstick struct {
	statistic Statistic
	shares    []float64 // of the reference: by bin, or of KS cumulated
	logs      []float64 // of PSI, those of the shares; of JS, share times its logarithm
}

func newYardstick(statistic Statistic, bins int) *yardstick {
	return &yardstick{statistic, make([]float64, bins), make([]float64, bins)}
}

// hold takes the reference.
func (y *yardstick) hold(reference Counts, total int64) {
	n := float64(total)
	half := float64(len(reference)) / 2
	below := int64(0)
	for i, count := range reference {
		switch y.statistic {
		case KS:
			below += count
			y.shares[i] = float64(below) / n
		case PSI:
			y.shares[i] = (float64(count) + 0.5) / (n + half)
			y.logs[i] = logarithm(y.shares[i])
		case JS:
			y.shares[i] = float64(count) / n
			y.logs[i] = timesLogarithm(y.shares[i])
		default:
			y.shares[i] = float64(count) / n
		}
	}
}

// measure measures a period of some size.
func (y *yardstick) measure(period Counts, size int64) float64 {
	m := float64(size)
	switch y.statistic {
	case KS:
		below, largest := int64(0), 0.0
		for i, count := range period {
			below += count
			largest = max(largest, math.Abs(y.shares[i]-float64(below)/m))
		}
		return largest
	case PSI:
		return y.stability(period, m+float64(len(period))/2)
	case JS:
		return y.divergence(period, m)
	default:
		sum := 0.0
		for i, count := range period {
			sum += math.Abs(float64(count)/m - y.shares[i])
		}
		return sum / 2
	}
}

func (y *yardstick) stability(period Counts, total float64) (sum float64) {
	small := logarithmsOfHalves()
	ofTotal := logarithm(total)
	for i, count := range period {
		ofCount := 0.0
		if count < int64(len(small)) {
			ofCount = small[count]
		} else {
			ofCount = logarithm(float64(count) + 0.5)
		}
		apart := (float64(count)+0.5)/total - y.shares[i]
		sum += float64(apart * (ofCount - ofTotal - y.logs[i]))
	}

	return sum
}

// divergence is the Jensen-Shannon distance, by entropies: that of the mixture less those
// of the two.
func (y *yardstick) divergence(period Counts, m float64) float64 {
	small := logarithms()
	ofSize := logarithm(m)
	sum := 0.0
	for i, count := range period {
		if count == 0 {
			sum += float64(y.shares[i] * (ln2High + ln2Low))
			continue
		}

		ofCount := 0.0
		if count < int64(len(small)) {
			ofCount = small[count]
		} else {
			ofCount = logarithm(float64(count))
		}
		share := float64(count) / m
		both := share + y.shares[i]
		sum += y.logs[i] + float64(share*(ofCount-ofSize)) - float64(both*logarithm(both/2))
	}
	return distance(sum)
}

func timesLogarithm(x float64) float64 {
	if x == 0 {
		return 0
	}
	return float64(x * logarithm(x))
}

// logarithms are those of 0, which has none, 1, 2 and so on, and logarithmsOfHalves of
// what is one half more than these.
var (
	logarithms         = sync.OnceValue(func() []float64 { return logarithmsFrom(0) })
	logarithmsOfHalves = sync.OnceValue(func() []float64 { return logarithmsFrom(0.5) })
)

func logarithmsFrom(first float64) []float64 {
	all := make([]float64, 1<<10)
	for i := range all {
		all[i] = logarithm(float64(i) + first)
	}
	return all
}

// tail keeps the largest of many values.
type tail struct {
	most int // how many
	kept []float64
	from float64 // what is no larger is none of them
}

func (t *tail) add(value float64) {
	if value <= t.from {
		return
	}
	t.kept = append(t.kept, value)
	if len(t.kept) >= 2*t.most+16 {
		t.cut()
	}
}

// cut leaves the largest alone.
func (t *tail) cut() {
	slices.Sort(t.kept)
	t.kept = t.kept[max(0, len(t.kept)-t.most):]
	t.from = t.kept[0]
}

// least is the smallest of them; 0 where there are not so many.
func (t *tail) least() float64 {
	if len(t.kept) < t.most {
		return 0
	}
	t.cut()
	return t.kept[0]
}
