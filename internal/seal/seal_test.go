package seal_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"

	"github.com/modelvigil/modelvigil/internal/seal"
)

func TestAnUpdateIsCarriedOutOnlyAsWhatItWasSealed(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	mine := seal.Received{Workflow: "model-monitor/fraud", Update: "pause", ID: "7", Now: now}
	stamped := func(s seal.Stamp, workflow string) *commonpb.Payload {
		payload := &commonpb.Payload{}
		seal.Put(payload, s)
		seal.MarkSealed(payload, workflow)
		return payload
	}
	good := seal.Stamp{Update: "pause", ID: "7", Sealed: now.Add(-time.Second)}
	for name, test := range map[string]struct {
		payload  *commonpb.Payload
		received func(*seal.Received)
		fault    string
	}{
		"as it was sealed":                        {payload: stamped(good, mine.Workflow)},
		"without a payload":                       {},
		"as another update":                       {stamped(good, mine.Workflow), func(r *seal.Received) { r.Update = "stop" }, `was sealed as "pause", not as stop`},
		"to another monitor":                      {stamped(good, "model-monitor/other"), nil, `was sealed for "model-monitor/other"`},
		"under another id":                        {stamped(good, mine.Workflow), func(r *seal.Received) { r.ID = "8" }, "with another update id"},
		"two hours later":                         {stamped(good, mine.Workflow), func(r *seal.Received) { r.Now = now.Add(2 * time.Hour) }, "which is too long; send it again"},
		"from a clock that is far ahead":          {stamped(seal.Stamp{Update: "pause", ID: "7", Sealed: now.Add(time.Hour)}, mine.Workflow), nil, "ahead of the clock"},
		"from before what is remembered":          {stamped(good, mine.Workflow), func(r *seal.Received) { r.Since = now }, "may have been carried out already"},
		"sealed, but for no workflow":             {stamped(good, ""), nil, "is sealed, but not for this update"},
		"sealed for the workflow, as no update":   {func() *commonpb.Payload { p := &commonpb.Payload{}; seal.MarkSealed(p, mine.Workflow); return p }(), nil, "is sealed, but not for this update"},
		"in the clear, where that is allowed":     {payload: func() *commonpb.Payload { p := &commonpb.Payload{}; seal.MarkPlain(p, false); return p }()},
		"in the clear, where it must not be":      {func() *commonpb.Payload { p := &commonpb.Payload{}; seal.MarkPlain(p, true); return p }(), nil, "ENCRYPTION_REQUIRED"},
		"in the clear, claiming that it is bound": {func() *commonpb.Payload { p := stamped(good, mine.Workflow); seal.MarkPlain(p, true); return p }(), nil, "ENCRYPTION_REQUIRED"},
	} {
		t.Run(name, func(t *testing.T) {
			received := mine
			if test.received != nil {
				test.received(&received)
			}
			err := received.Check(test.payload)
			if test.fault == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, test.fault)
			}
		})
	}
}
