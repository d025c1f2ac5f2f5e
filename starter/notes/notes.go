// Package notes is what publish tells beside what it is asked for: which monitors its
// events have started, and what is seldom meant in them.
package notes

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/modelvigil/modelvigil/internal/near"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/metric"
)

const (
	maxAsked = 200 // models of which the server is asked whether they are watched
	maxTold  = 5   // doubts, and monitors that were started
)

// Notes are those of one call of publish.
type Notes struct {
	To io.Writer
	// IsNew says that a model has no monitor, nor had one; nil where no event starts one.
	IsNew func(ctx context.Context, model string) bool
	// Watched are the models whose monitors run.
	Watched func(ctx context.Context) []string
	// With says what a new monitor goes by.
	With string

	asked    map[string]struct{}
	started  []string
	doubtful int // events
}

// Look questions what an event says, and asks once for each model whether it is new,
// which has to be before its first event is published.
func (n *Notes) Look(ctx context.Context, event *metric.Event) {
	if doubts := event.Doubts(); len(doubts) > 0 {
		n.doubtful++
		if n.doubtful <= maxTold {
			n.say("%s: %s; published all the same", plain.Text(event.ModelName), strings.Join(doubts, "; "))
		}
	}

	if _, known := n.asked[event.ModelName]; known || len(n.asked) >= maxAsked || n.IsNew == nil {
		return
	}
	if n.asked == nil {
		n.asked = map[string]struct{}{}
	}
	n.asked[event.ModelName] = struct{}{}
	if n.IsNew(ctx, event.ModelName) {
		n.started = append(n.started, event.ModelName)
	}
}

// Tell says, when all is durable, which monitors were started that nobody has applied a
// policy for, and which models may have been meant instead.
func (n *Notes) Tell(ctx context.Context) {
	if n.doubtful > maxTold {
		n.say("%s more likewise", plain.Count(n.doubtful-maxTold, "event"))
	}
	if len(n.started) == 0 {
		return
	}

	watched := slices.DeleteFunc(n.Watched(ctx), func(model string) bool { return slices.Contains(n.started, model) })
	for _, model := range n.started[:min(len(n.started), maxTold)] {
		n.say("started a monitor with %s for a model that nobody has applied: %s%s", n.With, plain.Text(model), near.Hint(model, watched))
	}
	if more := len(n.started) - maxTold; more > 0 {
		n.say("and %s more likewise", plain.Count(more, "model"))
	}
}

func (n *Notes) say(format string, args ...any) {
	_, _ = fmt.Fprintf(n.To, "note: "+format+"\n", args...)
}
