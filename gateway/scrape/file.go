package scrape

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/internal/strict"
	"github.com/modelvigil/modelvigil/internal/yaml"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
)

// Defaults of a File.
const (
	defaultInterval = 30 * time.Second
	defaultTimeout  = 10 * time.Second
)

// File says what is asked of which Prometheus server, and what the answers are.
type File struct {
	Prometheus Server `json:"prometheus"`
	// Interval is from one round of queries to the next, at multiples of itself.
	// Default 30 s.
	Interval policy.Duration `json:"interval"`
	// StateFile, where it is given, remembers over restarts what was published.
	StateFile string  `json:"state_file"`
	Queries   []Query `json:"queries"` // at least one
}

// Server is where Prometheus, or what speaks its API, is.
type Server struct {
	Address     string     `json:"address"`      // http or https, with a path where it is behind one
	BearerToken *Secret    `json:"bearer_token"` // one of these two, or none
	BasicAuth   *BasicAuth `json:"basic_auth"`
	// Headers are added to each request, such as a tenant's X-Scope-OrgID.
	Headers map[string]Header `json:"headers"`
	Timeout policy.Duration   `json:"timeout"` // of one query; default 10 s
}

// BasicAuth is a login by name and password.
type BasicAuth struct {
	Username string `json:"username"`
	Password Secret `json:"password"`
}

// Query is one of PromQL, and what its samples are readings of.
type Query struct {
	// PromQL gives a vector or a scalar, whose samples have the time of the round,
	// or with a range selector such as accuracy[5m] a matrix, each of whose samples
	// is published once, with its own time.
	PromQL       string `json:"query"`
	Metric       string `json:"metric"` // the reading: accuracy, latency_ms, drift_score or any other
	ModelName    Name   `json:"model_name"`
	ModelVersion Name   `json:"model_version"` // left out: none
}

// Name is the same for all samples of a query, or a label of each of them.
type Name struct{ Literal, Label string }

// UnmarshalJSON reads a text, or {label: NAME}.
func (n *Name) UnmarshalJSON(text []byte) error {
	if json.Unmarshal(text, &n.Literal) == nil {
		return nil
	}

	label := struct {
		Label string `json:"label"`
	}{}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if decoder.Decode(&label) != nil || label.Label == "" {
		return errors.New("must be a text, or {label: NAME}")
	}

	n.Label = label.Label
	return nil
}

// of is the name that a sample's labels give; empty where they give none.
func (n Name) of(labels model.Metric) string {
	if n.Label != "" {
		return string(labels[model.LabelName(n.Label)])
	}
	return n.Literal
}

// Secret is a reference, so that the file itself holds none: {env: VARIABLE} or
// {file: PATH}. A file is read at each request, so that it can be replaced.
type Secret struct {
	Env  string `json:"env"`
	File string `json:"file"`
}

func (s Secret) value() (string, error) {
	if s.Env != "" {
		value := os.Getenv(s.Env)
		if value == "" {
			return "", fmt.Errorf("the environment has no %s, or it is empty", s.Env)
		}
		return value, nil
	}
	text, err := os.ReadFile(s.File)
	return strings.TrimRight(string(text), "\r\n"), err
}

// Header is the value of a header: a text, or where it is a secret, a reference.
type Header struct {
	Literal string
	Secret
}

// UnmarshalJSON reads a text, or a Secret.
func (h *Header) UnmarshalJSON(text []byte) error {
	if json.Unmarshal(text, &h.Literal) == nil {
		return nil
	}
	return strict.Struct(text, "", &h.Secret)
}

func (h Header) value() (string, error) {
	if h.Secret != (Secret{}) {
		return h.Secret.value()
	}
	return h.Literal, nil
}

// headerName is what RFC 9110 takes for one.
var headerName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

// fault says why a header can't be sent.
func (h Header) fault(name string) error {
	value, err := h.value()
	switch {
	case err != nil:
		return err
	case !headerName.MatchString(name):
		return errors.New("must be the name of a header, such as X-Scope-OrgID")
	case strings.EqualFold(name, "Authorization"):
		return errors.New("give it as bearer_token or basic_auth")
	case h.Env != "" && h.File != "":
		return errors.New("must be a text, {env: VARIABLE} or {file: PATH}")
	case value == "" || strings.ContainsAny(value, "\r\n"):
		return errors.New("must be one line, and not empty")
	}

	return nil
}

// ReadFile reads a file of YAML, and names every fault of it.
func ReadFile(path string) (f File, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return f, err
	}
	object, err := yaml.ToJSON(text)
	if err == nil {
		err = strict.Struct(object, "", &f)
	}
	if err != nil {
		return f, fmt.Errorf("%s: %s", path, plain.Faults(err))
	}

	if f.Interval == 0 {
		f.Interval = policy.Duration(defaultInterval)
	}
	if f.Prometheus.Timeout == 0 {
		f.Prometheus.Timeout = policy.Duration(defaultTimeout)
	}
	faults := f.faults()
	for i, fault := range faults {
		faults[i] = fmt.Errorf("%s: %w", path, fault)
	}
	return f, errors.Join(faults...)
}

// withoutUser is an address without what stands in front of its @.
func withoutUser(address string) string {
	if at := strings.LastIndexByte(address, '@'); at >= 0 {
		return "…" + address[at:]
	}
	return address
}

func (f File) faults() (faults []error) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if address, err := url.Parse(f.Prometheus.Address); err != nil || address.Host == "" || address.Scheme != "http" && address.Scheme != "https" {
		fault("prometheus.address: must be a URL such as http://prometheus:9090, got %q", withoutUser(f.Prometheus.Address))
	} else if address.User != nil {
		fault("prometheus.address: must hold no name and no password, which would be told in every error; give them as basic_auth, got %s", address.Redacted())
	}
	if f.Prometheus.BearerToken != nil && f.Prometheus.BasicAuth != nil {
		fault("prometheus: bearer_token and basic_auth can't both be given")
	}

	secret := func(where string, s Secret) {
		if (s.Env == "") == (s.File == "") {
			fault("%s: must be {env: VARIABLE} or {file: PATH}", where)
		} else if _, err := s.value(); err != nil {
			fault("%s: %w", where, err)
		}
	}

	if f.Prometheus.BearerToken != nil {
		secret("prometheus.bearer_token", *f.Prometheus.BearerToken)
	}
	if f.Prometheus.BasicAuth != nil {
		secret("prometheus.basic_auth.password", f.Prometheus.BasicAuth.Password)
	}
	for _, name := range slices.Sorted(maps.Keys(f.Prometheus.Headers)) {
		if err := f.Prometheus.Headers[name].fault(name); err != nil {
			fault("prometheus.headers.%s: %w", plain.Text(name), err)
		}
	}

	if f.Interval < policy.Duration(time.Second) {
		fault("interval: must be 1s or more, got %v", f.Interval)
	}
	if f.Prometheus.Timeout < 0 {
		fault("prometheus.timeout: must be above zero, got %v", f.Prometheus.Timeout)
	}
	if len(f.Queries) == 0 {
		fault("queries: must have one at least")
	}

	for i, q := range f.Queries {
		where := fmt.Sprintf("queries[%d].", i)
		if strings.TrimSpace(q.PromQL) == "" {
			fault("%squery: is missing or empty", where)
		}
		if q.Metric == "" || len(q.Metric) > metric.MaxNameBytes {
			fault("%smetric: must be the reading's name, of 1 to %d bytes, such as %s", where, metric.MaxNameBytes, metric.Accuracy)
		}
		if q.ModelName.Label == "" {
			if err := contract.ValidateModelName(q.ModelName.Literal); err != nil {
				fault("%s%w; give a text, or {label: NAME}", where, err)
			}
		}
		if err := contract.ValidateModelVersion(q.ModelVersion.Literal); err != nil {
			fault("%s%w", where, err)
		}
	}

	return faults
}
