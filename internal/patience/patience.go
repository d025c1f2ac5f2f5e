// Package patience is how tests wait. A test has to pass on the slowest and the
// busiest machine, so it waits for a fact and never asserts how soon the fact came.
// The only limit there is ends a test that would hang for ever; it promises nothing.
package patience

import (
	"context"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// Limit is how long a test waits for one fact. What takes longest on an idle machine
// is an activity that died with its worker, which the server gives up after a minute.
const Limit = 5 * time.Minute

// A fact is looked for again after pauses that double from shortest to longest, so
// that what comes soon is seen soon, and a busy machine is not kept busy by asking.
const (
	shortest = time.Millisecond
	longest  = 100 * time.Millisecond
)

// Until waits until a fact holds. It is looked for on the test's own goroutine, and
// may end the test by `require`.
func Until(t testing.TB, what string, fact func() bool) {
	t.Helper()

	deadline := time.Now().Add(Limit)
	for pause := shortest; !fact(); pause = min(2*pause, longest) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", Limit, what)
		}
		time.Sleep(pause)
	}
}

// Receive waits for the next value of a channel.
func Receive[T any](t testing.TB, what string, from <-chan T) T {
	t.Helper()

	limit := time.NewTimer(Limit)
	defer limit.Stop()
	select {
	case value := <-from:
		return value
	case <-limit.C:
		t.Fatalf("not within %v: %s", Limit, what)
		panic("unreachable")
	}
}

// Context is the test's own, which moreover ends when the test has waited too long.
func Context(t testing.TB) context.Context {
	t.Helper()

	ctx, cancel := context.WithTimeout(t.Context(), Limit)
	t.Cleanup(cancel)
	return ctx
}

// Main runs a package's tests, all of whose goroutines have to end.
//
//	func TestMain(m *testing.M) { patience.Main(m) }
func Main(m *testing.M) {
	code := m.Run()
	if err := Leaks(); code == 0 && err != nil {
		_, _ = os.Stderr.WriteString(err.Error() + "\n")
		code = 1
	}
	os.Exit(code)
}

// Leaks waits until no goroutine is left but those of the process itself, and returns
// an error that names those which stay. goleak alone would wait for half a second.
func Leaks() error {
	for deadline := time.Now().Add(Limit); ; {
		err := goleak.Find()
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

// LongVariable is what `make test-long` sets.
const LongVariable = "MODELVIGIL_LONG"

// Long leaves a test to `make test-long`: one that takes many seconds by its nature,
// as floods, soaks and schedules of faults do.
func Long(t testing.TB) {
	t.Helper()

	if os.Getenv(LongVariable) == "" {
		t.Skipf("long: run by `make test-long`, which sets %s", LongVariable)
	}
}
