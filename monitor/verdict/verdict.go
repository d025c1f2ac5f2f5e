// Package verdict is what rules say of a model version, and what rules that are made
// of others say by them: logic of three values, for of some rules nothing is known.
package verdict

// Verdict is what a rule says of a model version: nothing is known, all is well,
// or it breaches.
type Verdict string

// The verdicts.
const (
	Unknown   Verdict = ""
	Healthy   Verdict = "healthy"
	Breaching Verdict = "breaching"
)

// Finding is what a rule says at one moment.
type Finding struct {
	Verdict Verdict
	Fresh   bool // judged at this moment
	Hit     bool // what was judged at this moment is itself beyond the threshold, not only what came before
}

// Speaks says that a rule breaches by what was judged at this moment.
func (f *Finding) Speaks() bool { return f.Fresh && f.Hit && f.Verdict == Breaching }

// of is a verdict from what is certain.
func of(breaches, isHealthy bool) Verdict {
	switch {
	case isHealthy:
		return Healthy
	case breaches:
		return Breaching
	}
	return Unknown
}
