// Package near finds the names that somebody may have meant who wrote another: of
// flags, fields, metrics and models.
package near

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/modelvigil/modelvigil/internal/plain"
)

const (
	maxNear  = 3  // names that are suggested for one
	maxNamed = 10 // names that there are, where none is near
)

// Names are the names that somebody may have meant who wrote another: they differ in
// case or in what parts their words, or by few letters. The nearest come first.
func Names(name string, names []string) []string {
	type suggestion struct {
		name     string
		distance int
	}
	bare := letters(name)
	var found []suggestion
	for _, other := range names {
		distance := distanceOf(bare, letters(other))
		if other != name && distance <= max(1, min(len(bare), len(other))/4) {
			found = append(found, suggestion{other, distance})
		}
	}

	slices.SortStableFunc(found, func(a, b suggestion) int { return a.distance - b.distance })
	var near []string
	for _, s := range found[:min(len(found), maxNear)] {
		near = append(near, s.name)
	}
	return near
}

// Hint asks whether one of the near names was meant; it is empty where none is near.
// It goes behind what is said of the wrong one.
func Hint(name string, names []string) string {
	near := Names(name, names)
	if len(near) == 0 {
		return ""
	}
	return "; did you mean " + strings.Join(near, " or ") + "?"
}

// Unmeasured says that no event measures a metric, and which may have been meant: those
// near to it, else what there is. It is one line, whatever the names hold.
func Unmeasured(metric string, measured []string) string {
	shown := make([]string, 0, len(measured))
	for _, name := range measured {
		shown = append(shown, plain.Text(name))
	}

	text := fmt.Sprintf("no event measures %q", plain.Text(metric))
	hint := Hint(plain.Text(metric), shown)
	if hint == "" && len(shown) > 0 {
		return text + "; there are " + strings.Join(shown[:min(len(shown), maxNamed)], ", ") + plain.AndMore(len(shown)-maxNamed)
	}
	return text + hint
}

// letters are a name's letters and digits in small letters.
func letters(name string) []rune {
	return []rune(strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, name))
}

// distanceOf is how many letters have to be put in, left out, changed, or swapped with
// the next, to make one of another: the optimal string alignment.
func distanceOf(a, b []rune) int {
	before := make([]int, len(b)+1)
	last := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range a {
		now := make([]int, len(b)+1)
		now[0] = i + 1
		for j := range b {
			changed := last[j]
			if a[i] != b[j] {
				changed++
			}
			now[j+1] = min(changed, last[j+1]+1, now[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				now[j+1] = min(now[j+1], before[j-1]+1)
			}
		}
		before, last = last, now
	}

	return last[len(b)]
}
