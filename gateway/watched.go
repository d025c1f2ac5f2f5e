package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// lookEvery is how often watched files are looked at, at most.
const lookEvery = time.Second

// watched is what some files say now. They are read again while somebody asks, so
// that a secret can be replaced without a restart; what can't be read or used
// leaves the value as it was, and is logged once.
type watched[T any] struct {
	paths []string
	parse func(contents [][]byte) (T, error)
	log   *slog.Logger

	value    atomic.Pointer[T]
	isFaulty atomic.Bool // since it was looked at last

	mu       sync.Mutex // held by who looks
	looked   time.Time
	contents [][]byte
	fault    string // what was logged last
}

// watch reads the files for the first time.
func watch[T any](log *slog.Logger, parse func([][]byte) (T, error), paths ...string) (*watched[T], error) {
	w := &watched[T]{paths: paths, parse: parse, log: log}
	return w, w.look(time.Now())
}

// get is what the files say, as of a second ago or less.
func (w *watched[T]) get() T {
	if w.mu.TryLock() {
		if now := time.Now(); now.Sub(w.looked) >= lookEvery {
			w.report(w.look(now))
		}
		w.mu.Unlock()
	}
	return *w.value.Load()
}

func (w *watched[T]) look(now time.Time) error {
	w.looked = now
	contents := make([][]byte, len(w.paths))
	var faults []error
	for i, path := range w.paths {
		var err error
		contents[i], err = os.ReadFile(path)
		faults = append(faults, err)
	}

	if err := errors.Join(faults...); err != nil {
		return err
	}

	isSame := w.contents != nil
	for i := range contents {
		isSame = isSame && bytes.Equal(contents[i], w.contents[i])
	}
	if isSame {
		return nil
	}
	value, err := w.parse(contents)
	if err != nil {
		return fmt.Errorf("%s: %w", w.paths[0], err)
	}

	if w.contents != nil {
		w.log.Info("file has changed, and holds from now on", "path", w.paths[0])
	}
	w.contents = contents
	w.value.Store(&value)
	return nil
}

func (w *watched[T]) report(err error) {
	fault := ""
	if err != nil {
		fault = err.Error()
	}
	w.isFaulty.Store(err != nil)
	if fault != "" && fault != w.fault {
		w.log.Error("file can't be used, what it said before holds on", "error", fault)
	}
	w.fault = fault
}

// WatchTokens reads the tokens' file. Its error names every fault.
func WatchTokens(path string, log *slog.Logger) (*Tokens, error) {
	file, err := watch(log, func(contents [][]byte) ([]token, error) { return parseTokens(string(contents[0])) }, path)
	return &Tokens{file}, err
}
