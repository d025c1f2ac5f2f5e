package webhook

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
)

// origin is a URL's scheme, host and port, in one spelling.
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

// parseOrigins reads the origins that are asked besides the endpoint's own.
func parseOrigins(texts []string) (origins []string, err error) {
	var faults []error
	for _, text := range texts {
		u, err := parseURL(text)
		switch {
		case err != nil:
			faults = append(faults, err)
		case strings.Trim(u.Path, "/") != "" || u.RawQuery != "":
			faults = append(faults, fmt.Errorf("must be an origin such as https://jobs.example.com, without a path, got %q", shown(u)))
		default:
			origins = append(origins, origin(u))
		}
	}

	return origins, errors.Join(faults...)
}

// mayAsk says why a job's status is not asked for at a URL. Who answers a retraining
// request says where its status is, and the worker stands where others don't: what it
// asks there, with GET and DELETE, is for the operator to allow.
func (e *Endpoint) mayAsk(u *url.URL) error {
	if of := origin(u); of != origin(e.url) && !slices.Contains(e.statusOrigins, of) {
		return fmt.Errorf("status_url: must be at %s, as the endpoint is, or at one of status_origins, which are %q; got one at %s",
			origin(e.url), e.statusOrigins, of)
	}
	return nil
}

// shownAt is a URL as errors show it: without what may be secret in it, which at
// another origin than the endpoint's is all but the origin.
func (e *Endpoint) shownAt(u *url.URL) string {
	if origin(u) == origin(e.url) {
		return shown(u)
	}
	return origin(u) + "/…"
}
