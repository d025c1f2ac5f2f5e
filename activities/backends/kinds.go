package backends

import (
	"errors"
	"fmt"
	"net/url"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"

	"github.com/modelvigil/modelvigil/activities"
	"github.com/modelvigil/modelvigil/activities/logging"
	"github.com/modelvigil/modelvigil/activities/temporal"
	"github.com/modelvigil/modelvigil/activities/webhook"
)

type logSettings struct{}

func (*logSettings) open(p Process) (activities.ModelOps, error) {
	return logging.Backend{Logger: p.Logger}, nil
}

type webhookSettings struct {
	URL    string `json:"url" env:"URL" meaning:"where retraining requests are posted; setting it offers the backend webhook to policies"`
	Secret Secret `json:"secret" env:"SECRET" meaning:"the key those requests are signed with (Standard Webhooks: whsec_ and base64); not set, they are not signed"`
}

func (s *webhookSettings) open(p Process) (activities.ModelOps, error) {
	backend, err := webhook.New(webhook.Config{URL: s.URL, Secret: s.Secret.Value(), Logger: p.Logger})
	if err == nil && s.Secret.Value() == "" {
		endpoint, _ := url.Parse(s.URL) // it is good
		p.Logger.Warn("retraining requests are not signed: set a secret, and have the endpoint verify it", "host", endpoint.Host)
	}
	return backend, err
}

type temporalSettings struct {
	WorkflowType string `json:"workflow_type" env:"WORKFLOW_TYPE" meaning:"the workflow that retrains a model; setting it offers the backend temporal to policies"`
	TaskQueue    string `json:"task_queue" env:"TASK_QUEUE" meaning:"the task queue of the worker that runs it"`
	Namespace    string `json:"namespace" env:"NAMESPACE" meaning:"its namespace; not set, the monitors' own"`
	Address      string `json:"address" env:"ADDRESS" meaning:"host:port of its cluster; not set, the monitors' own cluster, with its credentials"`
	APIKey       Secret `json:"api_key" env:"API_KEY" meaning:"key of an API key login there; turns TLS on"`
	Profile      string `json:"profile" env:"PROFILE" meaning:"a profile of Temporal's configuration file that says where the cluster is, for TLS with certificates"`
}

func (s *temporalSettings) open(p Process) (activities.ModelOps, error) {
	connection, err := s.connection(p)
	if err != nil {
		return nil, err
	}
	return temporal.New(temporal.Config{WorkflowType: s.WorkflowType, TaskQueue: s.TaskQueue, Connection: connection})
}

// connection is the monitors' own, unless another cluster is named: credentials go
// to nobody that they are not for.
func (s *temporalSettings) connection(p Process) (client.Options, error) {
	options := p.Temporal
	options.MetricsHandler = nil
	switch {
	case s.Profile != "":
		var err error
		options, err = envconfig.LoadClientOptions(envconfig.LoadClientOptionsRequest{
			ConfigFileProfile: s.Profile, ConfigFilePath: p.Environment["TEMPORAL_CONFIG_FILE"], EnvLookup: nothing{},
		})
		if err != nil {
			return options, fmt.Errorf("profile: %w", err)
		}
	case s.Address != "":
		options = client.Options{}
	}
	options.Logger = p.Temporal.Logger
	if s.Address != "" {
		options.HostPort = s.Address
	}
	if s.Namespace != "" {
		options.Namespace = s.Namespace
	}
	if key := s.APIKey.Value(); key != "" {
		if s.Address == "" && s.Profile == "" {
			return options, errors.New("api_key: is for another cluster than the monitors'; set address or profile too")
		}
		options.Credentials = client.NewAPIKeyStaticCredentials(key)
	}
	return options, nil
}

// nothing is an environment without variables: a profile is taken as it is.
type nothing struct{}

func (nothing) Environ() []string               { return nil }
func (nothing) LookupEnv(string) (string, bool) { return "", false }
