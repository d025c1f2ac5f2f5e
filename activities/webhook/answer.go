package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/internal/httpclient"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/modelops"
)

const (
	// maxExcerptBytes is how much of a body an error shows.
	maxExcerptBytes = 200
	// maxStatusURLBytes bounds what is kept in the monitor's state. Of URIs up to
	// 8,000 octets RFC 9110, section 4.1, says that they should be supported;
	// 2,048 is what every proxy takes.
	maxStatusURLBytes = 2048
)

// stateRunning is a status beside the states of an outcome.
const stateRunning = "running"

// answer is an endpoint's answer to one request.
type answer struct {
	call   string   // what was asked of whom, as errors show it
	from   *url.URL // who answered, after redirects
	status int
	header http.Header
	body   []byte // at most maxAnswerBytes
	cutOff error  // why body is not all of it
}

func (a *answer) ok() bool { return a.status >= 200 && a.status <= 299 }

// refusal is the error that a status other than of success stands for.
func (a *answer) refusal() error {
	text := strings.TrimSpace(fmt.Sprintf("%s: %d %s", a.call, a.status, http.StatusText(a.status)))
	switch {
	case a.status >= 300 && a.status <= 399:
		return modelops.Final(fmt.Errorf("%s, %s; followed are only 307 and 308 within one scheme, host and port, %d at most: "+
			"configure the URL that answers itself", text, a.redirection(), maxRedirects))
	case a.status == http.StatusUnauthorized, a.status == http.StatusForbidden:
		text += " (do both sides hold the same secret?)"
	}

	if excerpt := plain.Excerpt(string(a.body), maxExcerptBytes); excerpt != "" {
		text += ": " + excerpt
	}
	err := errors.New(text)
	switch {
	case a.status == http.StatusTooManyRequests, a.status == http.StatusServiceUnavailable:
		if pause := httpclient.RetryAfter(a.header, time.Now()); pause > 0 {
			return modelops.RetryAfter(pause, err)
		}
		return err
	case a.status == http.StatusRequestTimeout, a.status >= 500:
		return err
	}

	return modelops.Final(err)
}

func (a *answer) redirection() string {
	location := a.header.Get("Location")
	if location == "" {
		return "a redirect to nowhere"
	}
	to, err := a.from.Parse(location)
	if err != nil {
		return "a redirect to a Location that can't be parsed"
	}
	return "a redirect to " + plain.Excerpt(shown(to), maxExcerptBytes)
}

// job is what the answer to an accepted request tells of the job. An error says
// what of it could not be used; the job holds the rest.
func (a *answer) job(mayAsk func(*url.URL) error) (modelops.Job, error) {
	var job modelops.Job
	if a.cutOff != nil {
		return job, fmt.Errorf("%s: %w", a.call, a.cutOff)
	}
	text := bytes.TrimSpace(a.body)
	if len(text) == 0 || string(text) == "null" || (text[0] != '{' && !a.claimsJSON()) {
		return job, nil
	}

	fields, err := a.object(`{"job_id", "status_url"}`)
	if err != nil {
		return job, err
	}

	id, idErr := fields.text("job_id")
	reference, statusErr := fields.text("status_url")
	job.ID = id
	if statusErr == nil && reference != "" {
		job.StatusURL, statusErr = a.statusURL(reference, mayAsk)
		job.Followed = statusErr == nil
	}

	if err := errors.Join(idErr, statusErr); err != nil {
		return job, fmt.Errorf("%s: %w", a.call, err)
	}

	return job, nil
}

// statusURL resolves a reference against who answered.
func (a *answer) statusURL(reference string, mayAsk func(*url.URL) error) (string, error) {
	u, err := a.from.Parse(reference)
	if err != nil {
		return "", errors.New("status_url: must be a URL, got one that can't be parsed")
	}

	u.Fragment = ""
	u.RawFragment = ""
	resolved := u.String()
	if len(resolved) > maxStatusURLBytes {
		return "", fmt.Errorf("status_url: must be at most %d bytes, got %d", maxStatusURLBytes, len(resolved))
	}
	if err := checkURL(u); err != nil {
		return "", fmt.Errorf("status_url: %w", err)
	}
	if err := mayAsk(u); err != nil {
		return "", err
	}

	return resolved, nil
}

// outcome is what the answer of a status_url tells: ErrRunning, an outcome, or
// an error that says what it should have been.
func (a *answer) outcome() (modelops.Outcome, error) {
	if a.cutOff != nil {
		return modelops.Outcome{}, fmt.Errorf("%s: %w", a.call, a.cutOff)
	}
	fields, err := a.object(`{"state", "message", "model_version"}`)
	if err != nil {
		return modelops.Outcome{}, err
	}

	state, err := fields.text("state")
	if err != nil {
		return modelops.Outcome{}, fmt.Errorf("%s: %w", a.call, err)
	}

	message, _ := fields.text("message") // for people; not worth an outcome
	switch modelops.State(state) {
	case stateRunning:
		message = plain.Excerpt(message, maxExcerptBytes)
		if message != "" {
			return modelops.Outcome{}, fmt.Errorf("%s: %w: %s", a.call, modelops.ErrRunning, message)
		}
		return modelops.Outcome{}, fmt.Errorf("%s: %w", a.call, modelops.ErrRunning)
	case modelops.Succeeded, modelops.Failed:
	default:
		return modelops.Outcome{}, fmt.Errorf("%s: state: must be %q, %q or %q, got %q", a.call,
			stateRunning, modelops.Succeeded, modelops.Failed, plain.Excerpt(state, maxExcerptBytes))
	}

	outcome := modelops.Outcome{State: modelops.State(state), Message: message}
	return outcome.WithVersion(modelops.Version(fields["model_version"])), nil
}

// claimsJSON says whether the answer's content type is of JSON.
func (a *answer) claimsJSON() bool {
	kind, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	return err == nil && (kind == "application/json" || strings.HasSuffix(kind, "+json"))
}

// object is the body as a JSON object of any fields.
func (a *answer) object(want string) (object, error) {
	var fields object
	if err := json.Unmarshal(a.body, &fields); err != nil || fields == nil {
		return nil, fmt.Errorf("%s: %d with an answer that is no JSON object such as %s, but %q",
			a.call, a.status, want, plain.Excerpt(string(a.body), maxExcerptBytes))
	}
	return fields, nil
}

type object map[string]json.RawMessage

// text is a field that holds a string; a number stands for its digits, because
// that is what ids and versions often are, and what is absent or null is empty.
func (o object) text(name string) (string, error) {
	raw := o[name]
	var text string
	if len(raw) == 0 || json.Unmarshal(raw, &text) == nil {
		return text, nil
	}
	var number json.Number
	if json.Unmarshal(raw, &number) == nil {
		return number.String(), nil
	}
	return "", fmt.Errorf("%s: must be a string, got %s", name, plain.Excerpt(string(raw), maxExcerptBytes))
}
