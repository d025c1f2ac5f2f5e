package gateway

import (
	"net/http"
	"testing"
)

// Serve is serve, for tests of ways in that are packages of their own.
func Serve(t testing.TB, options Options) (url string, client *http.Client) {
	t.Helper()
	s := serve(t, options)
	return s.url, s.client
}
