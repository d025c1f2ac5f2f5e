// Package httpclient holds what every client of a server that trains models does
// alike: how it connects, which pause it grants, and what its errors may tell.
package httpclient

import (
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	// UserAgent is how we call ourselves.
	UserAgent = "modelvigil"
	// MaxRetryAfter bounds the pause that a server can ask for, so that a slip in a
	// header doesn't put a retraining off for days.
	MaxRetryAfter = time.Hour

	// A server that can't be connected to within connectTimeout, or can't agree on
	// TLS within tlsTimeout, is better tried again later than waited for.
	connectTimeout = 10 * time.Second
	tlsTimeout     = 10 * time.Second
	maxHeaderBytes = 64 << 10
)

// NewTransport leaves the wait for an answer to the client's own timeout.
func NewTransport() *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: connectTimeout}).DialContext,
		TLSHandshakeTimeout:    tlsTimeout,
		MaxResponseHeaderBytes: maxHeaderBytes,
		IdleConnTimeout:        90 * time.Second, // as http.DefaultTransport
		ForceAttemptHTTP2:      true,
	}
}

// RetryAfter is the pause that the header Retry-After asks for, at most
// MaxRetryAfter; zero means that it asks for none. A date is held against the Date of
// the answer where there is one, whatever our own clock, now, shows.
func RetryAfter(header http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(header.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(value, 10, 32); err == nil || errors.Is(err, strconv.ErrRange) {
		return min(time.Duration(seconds)*time.Second, MaxRetryAfter)
	}

	until, err := http.ParseTime(value)
	if err != nil {
		return 0
	}

	if date, err := http.ParseTime(header.Get("Date")); err == nil {
		now = date
	}
	return max(0, min(until.Sub(now), MaxRetryAfter))
}

// WithoutURL is an error of net/http without the URL that it repeats in full, which
// may hold what is secret.
func WithoutURL(err error) error {
	var outer *url.Error
	if errors.As(err, &outer) {
		return outer.Err
	}
	return err
}
