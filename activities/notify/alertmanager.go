package notify

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/internal/setting"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

const (
	// openFor is how long an alert of a decision that another one settles stays, if
	// none does.
	openFor = 7 * 24 * time.Hour
	// momentFor is how long one of a momentary decision does.
	momentFor = time.Hour
	// alertTimeout bounds one request.
	alertTimeout = 10 * time.Second
	// maxAnswerBytes is how much of a refusal is read, and told.
	maxAnswerBytes = 300
)

type alertmanagerSettings struct {
	URL      addresses         `json:"url"`
	Labels   map[string]string `json:"labels"`
	Username string            `json:"username"`
	Password setting.Secret    `json:"password"`
	Token    setting.Secret    `json:"token"`
}

// addresses is one URL, or a list.
type addresses []string

// UnmarshalJSON takes either.
func (a *addresses) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*a = addresses{one}
		return nil
	}
	if json.Unmarshal(data, (*[]string)(a)) != nil {
		return errors.New("must be a URL, or a list of the URLs of a cluster")
	}
	return nil
}

// labelName is what every version of Prometheus takes.
var labelName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// ownLabels are those that every alert has, which nobody else sets.
var ownLabels = []string{"alertname", "kind", "model", "team"}

func (s *alertmanagerSettings) open(common shop) (channel, error) {
	var faults []error
	for _, address := range s.URL {
		u, err := url.Parse(address)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" {
			faults = append(faults, errors.New("url: must be an absolute http or https URL, what comes before /api/v2, without a password or a query"))
		}
	}

	if len(s.URL) == 0 {
		faults = append(faults, errors.New("url: is missing; such as http://alertmanager:9093, or a list of the URLs of a cluster"))
	}
	for _, name := range slices.Sorted(maps.Keys(s.Labels)) {
		switch {
		case slices.Contains(ownLabels, name):
			faults = append(faults, fmt.Errorf("labels.%s: every alert has it, from its notice", name))
		case !labelName.MatchString(name):
			faults = append(faults, fmt.Errorf("labels.%s: must be a name of A-Z a-z 0-9 _ that doesn't begin with a digit", name))
		}
	}

	if (s.Username == "") != (s.Password.Value() == "") {
		faults = append(faults, errors.New("password: username and password go together"))
	}
	if s.Username != "" && s.Token.Value() != "" {
		faults = append(faults, errors.New("token: username is set too; set one of them"))
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}

	return &alertmanager{
		settings: *s, link: common.link, log: common.log,
		client: &http.Client{
			Timeout:       alertTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // a POST doesn't survive one
		},
	}, nil
}

// alertmanager is a cluster of Alertmanagers, which share what they have told but
// not what they were: each is told.
type alertmanager struct {
	settings alertmanagerSettings
	link     func(monitor.Notice) string
	client   *http.Client
	log      *slog.Logger
}

// alert is a postableAlert of Alertmanager's API v2.
type alert struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations,omitempty"`
	StartsAt     time.Time         `json:"startsAt,omitzero"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL,omitempty"`
}

// ignores nothing: what settles something ends its alert.
func (*alertmanager) ignores(monitor.Notice) bool { return false }

// Tell returns nil once one of the Alertmanagers has the alerts. What the others
// don't get is in the log.
func (a *alertmanager) Tell(ctx context.Context, n monitor.Notice) error {
	body, err := json.Marshal(a.alerts(n))
	if err != nil {
		return modelops.Final(fmt.Errorf("encode the alerts: %w", err))
	}

	failures := a.each(func(address string) error { return a.post(ctx, address, body) })
	failed := errors.Join(failures...)
	switch {
	case failed == nil:
		return nil
	case slices.Contains(failures, nil):
		a.log.WarnContext(ctx, "an Alertmanager of several did not get an alert", "channel", n.Channel, "notice", n.ID, "error", failed)
		return nil
	case slices.ContainsFunc(failures, func(err error) bool { return !modelops.IsFinal(err) }):
		return errors.New(failed.Error()) // one of them may take it yet
	}

	return failed
}

// each calls something with every address at once.
func (a *alertmanager) each(do func(address string) error) []error {
	failures := make([]error, len(a.settings.URL))
	var all sync.WaitGroup
	for i, address := range a.settings.URL {
		all.Go(func() { failures[i] = do(strings.TrimRight(address, "/")) })
	}
	all.Wait()
	return failures
}

// alerts are that of the decision, and the ends of those that it settles.
func (a *alertmanager) alerts(n monitor.Notice) (alerts []alert) {
	for _, kind := range n.Ends {
		alerts = append(alerts, alert{Labels: a.labels(n, kind), EndsAt: n.Decision.At})
	}
	if n.OnlyEnds {
		return alerts
	}

	until := n.Decision.At.Add(momentFor)
	if n.Decision.Kind.IsOpen() {
		until = n.Decision.At.Add(openFor)
	}
	if !n.Until.IsZero() {
		until = n.Until
	}
	link := a.link(n)
	message := messageOf(n, link, asItIs)
	annotations := map[string]string{"summary": message.title, "description": message.text()}
	if n.Decision.ModelVersion != "" {
		annotations["model_version"] = n.Decision.ModelVersion
	}
	if link != "" {
		annotations["link"] = link
	}
	return append(alerts, alert{
		Labels: a.labels(n, n.Decision.Kind), Annotations: annotations, StartsAt: n.Decision.At, EndsAt: until, GeneratorURL: link,
	})
}

// labels are what tells an alert from another: the same for a decision and for what
// settles it.
func (a *alertmanager) labels(n monitor.Notice, kind policy.Kind) map[string]string {
	labels := map[string]string{"alertname": alertName(kind), "kind": string(kind)}
	maps.Copy(labels, a.settings.Labels)
	if n.ModelName != "" {
		labels["model"] = n.ModelName
	}
	if n.Team != "" {
		labels["team"] = n.Team
	}
	return labels
}

// alertName is ModelvigilCircuitOpened for circuit_opened.
func alertName(kind policy.Kind) string {
	var name strings.Builder
	name.WriteString("Modelvigil")
	for word := range strings.SplitSeq(string(kind), "_") {
		name.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return name.String()
}

func (a *alertmanager) post(ctx context.Context, address string, body []byte) error {
	return a.ask(ctx, http.MethodPost, address+"/api/v2/alerts", body)
}

// Check asks each Alertmanager for its status.
func (a *alertmanager) Check(ctx context.Context) error {
	return errors.Join(a.each(func(address string) error { return a.ask(ctx, http.MethodGet, address+"/api/v2/status", nil) })...)
}

// ask returns nil for an answer of success.
func (a *alertmanager) ask(ctx context.Context, method, address string, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return modelops.Final(fmt.Errorf("%s %s: %w", method, address, err))
	}

	request.Header.Set("Content-Type", "application/json")
	switch {
	case a.settings.Username != "":
		request.SetBasicAuth(a.settings.Username, a.settings.Password.Value())
	case a.settings.Token.Value() != "":
		request.Header.Set("Authorization", "Bearer "+a.settings.Token.Value())
	}

	response, err := a.client.Do(request)
	if err != nil {
		return err // it begins with the method and the URL, which holds no secret
	}

	defer func() { _ = response.Body.Close() }()
	text, _ := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes)) // what there is of it
	if response.StatusCode/100 == 2 {
		return nil
	}

	err = fmt.Errorf("%s %s: %s", method, address, cmp.Or(plain.Line(response.Status+" "+string(text)), "no status"))
	switch response.StatusCode {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return modelops.Throttled(err)
	case http.StatusRequestTimeout:
		return err
	}

	if response.StatusCode < http.StatusInternalServerError {
		return modelops.Final(err)
	}

	return err
}
