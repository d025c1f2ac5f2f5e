package airflow

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/internal/httpclient"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/modelops"
)

// maxExcerptBytes is how much of an answer an error shows.
const maxExcerptBytes = 300

// refusal is an answer that is not of success.
type refusal struct {
	status int
	text   string
	// isForeign says that it is not Airflow 3 that doesn't know the address.
	isForeign bool
}

func (r *refusal) Error() string { return r.text }

// statusOf is the status of an answer that is not of success; of any other error,
// and of none, it is 0.
func statusOf(err error) int {
	var r *refusal
	if errors.As(err, &r) {
		return r.status
	}
	return 0
}

// refusal is the error that an answer stands for: marked as final where asking again
// can't help, and with what to do about it.
func (c *connection) refusal(call string, response *http.Response, body []byte) error {
	detail, isAirflow := detailOf(body)
	r := &refusal{status: response.StatusCode, text: strings.TrimSpace(fmt.Sprintf("%s: %d %s", call, response.StatusCode, http.StatusText(response.StatusCode)))}
	if location := response.Header.Get("Location"); location != "" {
		r.text += ", a redirect to " + visible(location)
	}
	detail = c.redacted(detail)
	if detail != "" {
		r.text += ": " + plain.Excerpt(detail, maxExcerptBytes)
	}

	switch {
	case r.status >= 300 && r.status <= 399:
		r.text += "; redirects are not followed: correct the url in the backend's settings to the address that answers itself"
	case r.status == http.StatusUnauthorized && !c.credentials.canLogin():
		r.text += "; set a token that is valid, or username and password, in the backend's settings"
	case r.status == http.StatusForbidden && c.credentials.canLogin():
		r.text += fmt.Sprintf("; let the user %q read the DAG, and create, read and edit its runs", c.credentials.username)
	case r.status == http.StatusForbidden:
		r.text += "; set a token that is valid, of a user who may read the DAG, and create, read and edit its runs"
	case r.status == http.StatusTooManyRequests:
		return modelops.RetryAfter(httpclient.RetryAfter(response.Header, time.Now()), r)
	case r.status == http.StatusServiceUnavailable:
		if pause := httpclient.RetryAfter(response.Header, time.Now()); pause > 0 {
			return modelops.RetryAfter(pause, r)
		}
		return r
	case r.status == http.StatusNotFound && !isAirflow:
		// A proxy says so while Airflow is being restarted.
		r.status = 0
		r.isForeign = true
		return r
	case r.status == http.StatusRequestTimeout, r.status == http.StatusConflict, r.status >= 500:
		return r
	}

	return modelops.Final(r)
}

// detailOf is what an answer says of its status, and whether it is one of Airflow's.
// Of a request that is not valid it tells the faults, and not the values, which may
// be secret.
func detailOf(body []byte) (detail string, isAirflow bool) {
	var answer struct {
		Detail json.RawMessage `json:"detail"`
	}
	if json.Unmarshal(body, &answer) != nil || len(answer.Detail) == 0 {
		return string(body), false
	}

	var text string
	var reason struct {
		Reason, Message string
	}
	var faults []struct {
		Where   []any  `json:"loc"`
		Message string `json:"msg"`
	}
	switch {
	case json.Unmarshal(answer.Detail, &text) == nil:
	case json.Unmarshal(answer.Detail, &faults) == nil:
		var texts []string
		for _, fault := range faults {
			texts = append(texts, strings.Trim(fmt.Sprint(fault.Where), "[]")+": "+fault.Message)
		}
		text = strings.Join(texts, "; ")
	case json.Unmarshal(answer.Detail, &reason) == nil:
		text = strings.Trim(reason.Reason+": "+reason.Message, ": ")
	}

	return text, true
}

// redacted is a text from elsewhere without what we hold that is secret.
func (c *connection) redacted(text string) string {
	for _, secret := range []string{c.credentials.set, c.credentials.password} {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "…")
		}
	}
	return text
}

// visible is a URL as errors show it: without what may be secret in it.
func visible(location string) string {
	u, err := url.Parse(location)
	if err != nil {
		return "a Location that can't be parsed"
	}
	return plain.Excerpt((&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String(), maxExcerptBytes)
}
