package notify

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	limit "golang.org/x/time/rate"

	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor"
)

// rate is how many notices a channel is told within a time, as a setting: 20/1m. The
// zero rate has no limit.
type rate struct {
	notices int
	within  time.Duration
}

// UnmarshalJSON reads `20/1m`.
func (r *rate) UnmarshalJSON(data []byte) error {
	text := strings.Trim(string(data), `"`)
	notices, within, both := strings.Cut(text, "/")
	n, err := strconv.Atoi(notices)
	d, dErr := time.ParseDuration(within)
	if !both || err != nil || dErr != nil || n < 1 || d < time.Second {
		return fmt.Errorf("must be a number of notices and a time of 1s or more such as 20/1m, got %q", text)
	}
	r.notices = n
	r.within = d
	return nil
}

// limited tells a channel no more than its rate. What is over it is to be told
// later, by whichever worker: the rate is of each.
type limited struct {
	channel
	bucket *limit.Limiter // nil: no limit
	within time.Duration
}

func (r rate) limit(c channel) *limited {
	if r.notices == 0 {
		return &limited{channel: c}
	}
	every := limit.Limit(float64(r.notices) / r.within.Seconds())
	return &limited{c, limit.NewLimiter(every, r.notices), r.within}
}

// Tell asks for a later try while the bucket is empty. Those that wait come back at
// different times within the rate's own.
func (l *limited) Tell(ctx context.Context, notice monitor.Notice) error {
	if l.ignores(notice) {
		return nil
	}
	if l.bucket != nil && !l.bucket.Allow() {
		pause := time.Second + rand.N(l.within)
		return modelops.RetryAfter(pause.Round(time.Millisecond), errors.New("the channel's rate is used up"))
	}
	return l.channel.Tell(ctx, notice)
}
