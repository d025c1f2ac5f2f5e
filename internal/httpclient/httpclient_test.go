package httpclient_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/modelvigil/modelvigil/internal/httpclient"
)

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	tests := map[string]struct {
		after, date string
		want        time.Duration
	}{
		"is absent":                          {"", "", 0},
		"seconds":                            {" 90 ", "", 90 * time.Second},
		"more seconds than a number holds":   {"99999999999999999999", "", time.Hour},
		"days are cut":                       {"864000", "", time.Hour},
		"a date, by our clock":               {"Sun, 01 Mar 2026 12:00:30 GMT", "", 30 * time.Second},
		"a date, by the server's own clock":  {"Sun, 01 Mar 2026 15:00:30 GMT", "Sun, 01 Mar 2026 15:00:00 GMT", 30 * time.Second},
		"a date that has passed":             {"Sun, 01 Mar 2026 11:00:00 GMT", "", 0},
		"negative seconds ask for no pause":  {"-5", "", 0},
		"what is neither asks for no pause":  {"soon", "", 0},
		"a date years away is cut like days": {"Sun, 01 Mar 2099 12:00:00 GMT", "", time.Hour},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			header := http.Header{}
			header.Set("Retry-After", test.after)
			header.Set("Date", test.date)
			assert.Equal(t, test.want, httpclient.RetryAfter(header, now))
		})
	}
}
