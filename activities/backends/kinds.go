package backends

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"

	"github.com/modelvigil/modelvigil/activities/airflow"
	"github.com/modelvigil/modelvigil/activities/kubernetes"
	"github.com/modelvigil/modelvigil/activities/kubernetes/cluster"
	"github.com/modelvigil/modelvigil/activities/kubernetes/object"
	"github.com/modelvigil/modelvigil/activities/logging"
	"github.com/modelvigil/modelvigil/activities/temporal"
	"github.com/modelvigil/modelvigil/activities/webhook"
	"github.com/modelvigil/modelvigil/internal/setting"
	"github.com/modelvigil/modelvigil/modelops"
)

// Settings are all settings of backends. The tags of the kinds' own fields are
// what the environment, the file and -h call them.
type Settings struct {
	Default    string             `env:"MODELOPS_BACKEND" envDefault:"log" meaning:"the backend of policies that name none: log, a kind that is set below, or a name of MODELOPS_BACKENDS_FILE"`
	File       string             `env:"MODELOPS_BACKENDS_FILE" meaning:"YAML file of further backends by name, several of a kind; see docs/backends.md"`
	Webhook    webhookSettings    `envPrefix:"MODELOPS_WEBHOOK_"`
	Airflow    airflowSettings    `envPrefix:"MODELOPS_AIRFLOW_"`
	Kubernetes kubernetesSettings `envPrefix:"MODELOPS_KUBERNETES_"`
	Temporal   temporalSettings   `envPrefix:"MODELOPS_TEMPORAL_"`
}

// kind is one kind of backend, with the settings of one instance.
type kind interface {
	// open makes the backend. Its error joins one fault a line, field first.
	open(p Process) (modelops.ModelOps, error)
}

// kinds are all kinds, by name: the zero settings of each.
var kinds = map[string]func() kind{
	Log:                 func() kind { return &logSettings{} },
	"webhook":           func() kind { return &webhookSettings{} },
	"airflow":           func() kind { return &airflowSettings{} },
	"kubernetes":        func() kind { return &kubernetesSettings{} },
	"kubernetes-object": func() kind { return &objectSettings{} },
	"temporal":          func() kind { return &temporalSettings{} },
}

type logSettings struct{}

func (*logSettings) open(p Process) (modelops.ModelOps, error) {
	return logging.Backend{Logger: p.Logger}, nil
}

type webhookSettings struct {
	URL           string         `json:"url" env:"URL" meaning:"where retraining requests are posted; setting it offers the backend webhook to policies"`
	Secret        setting.Secret `json:"secret" env:"SECRET" meaning:"the key those requests are signed with (Standard Webhooks: whsec_ and base64); not set, they are not signed"`
	StatusOrigins []string       `json:"status_origins" env:"STATUS_ORIGINS" meaning:"scheme://host:port, separated by commas, where jobs may have their status_url besides URL's own"`
}

func (s *webhookSettings) open(p Process) (modelops.ModelOps, error) {
	backend, err := webhook.New(webhook.Config{URL: s.URL, Secret: s.Secret.Value(), StatusOrigins: s.StatusOrigins, Logger: p.Logger})
	if err == nil && s.Secret.Value() == "" {
		endpoint, _ := url.Parse(s.URL) // it is good
		p.Logger.Warn("retraining requests are not signed: set a secret, and have the endpoint verify it", "host", endpoint.Host)
	}
	return backend, err
}

type airflowSettings struct {
	URL             string         `json:"url" env:"URL" meaning:"Airflow's web address, what comes before /api/v2; setting it offers the backend airflow to policies"`
	DAG             string         `json:"dag" env:"DAG" meaning:"the dag_id of the DAG that retrains a model"`
	Username        string         `json:"username" env:"USERNAME" meaning:"who logs in"`
	Password        setting.Secret `json:"password" env:"PASSWORD" meaning:"with which password"`
	Token           setting.Secret `json:"token" env:"TOKEN" meaning:"or a token that is sent as it is"`
	ModelVersionKey string         `json:"model_version_key" env:"MODEL_VERSION_KEY" meaning:"the XCom that tells the new model version, KEY or TASK/KEY; not set, model_version"`
}

func (s *airflowSettings) open(Process) (modelops.ModelOps, error) {
	return airflow.New(airflow.Config{
		URL: s.URL, DAG: s.DAG, Username: s.Username, Password: s.Password.Value(), Token: s.Token.Value(), ModelVersionKey: s.ModelVersionKey,
	})
}

type kubernetesSettings struct {
	CronJob                string   `json:"cronjob" env:"CRONJOB" meaning:"the CronJob whose template retrains a model; setting it, or the next, offers the backend kubernetes to policies"`
	Job                    string   `json:"job" env:"JOB" meaning:"or a Job that is the template, created with suspend: true"`
	Template               manifest `json:"template" env:"TEMPLATE" meaning:"or the template itself, metadata and spec of a batch/v1 JobTemplateSpec"`
	Namespace              string   `json:"namespace" env:"NAMESPACE" meaning:"where Jobs run; not set, the context's, or the pod's own"`
	Kubeconfig             string   `json:"kubeconfig" env:"KUBECONFIG" meaning:"file that says how to get there; not set, as kubectl does, or as the pod's service account"`
	Context                string   `json:"context" env:"CONTEXT" meaning:"a context of it"`
	Container              string   `json:"container" env:"CONTAINER" meaning:"the container that gets the decision; not set, all of the pod"`
	ModelVersionAnnotation string   `json:"model_version_annotation" env:"MODEL_VERSION_ANNOTATION" meaning:"where the trainer writes the new version; not set, modelvigil.ai/new-model-version"`
	TTL                    duration `json:"ttl" env:"TTL" meaning:"how long a Job that has ended stays, 10m at least; not set, what the template says, or 168h"`
}

func (s *kubernetesSettings) open(Process) (modelops.ModelOps, error) {
	return kubernetes.New(kubernetes.Config{
		Cluster: cluster.Config{Kubeconfig: s.Kubeconfig, Context: s.Context, Namespace: s.Namespace},
		CronJob: s.CronJob, Job: s.Job, Template: string(s.Template), Container: s.Container,
		ModelVersionAnnotation: s.ModelVersionAnnotation, TTL: time.Duration(s.TTL),
	})
}

// objectSettings are of a file alone: a template is no thing for a variable.
type objectSettings struct {
	Template     manifest `json:"template"`
	Success      []string `json:"success"`
	Failure      []string `json:"failure"`
	Message      string   `json:"message"`
	ModelVersion string   `json:"model_version"`
	Namespace    string   `json:"namespace"`
	Kubeconfig   string   `json:"kubeconfig"`
	Context      string   `json:"context"`
}

func (s *objectSettings) open(Process) (modelops.ModelOps, error) {
	return object.New(object.Config{
		Cluster:  cluster.Config{Kubeconfig: s.Kubeconfig, Context: s.Context, Namespace: s.Namespace},
		Template: string(s.Template), Success: s.Success, Failure: s.Failure, Message: s.Message, ModelVersion: s.ModelVersion,
	})
}

// manifest is an object of Kubernetes in YAML or JSON: in a file also as it is,
// without quotes.
type manifest string

// UnmarshalText takes the text of a variable.
func (m *manifest) UnmarshalText(text []byte) error {
	*m = manifest(text)
	return nil
}

// UnmarshalJSON takes a text, or an object.
func (m *manifest) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) != nil {
		text = string(data)
	}
	*m = manifest(text)
	return nil
}

type duration time.Duration

// UnmarshalText reads a duration such as 10m.
func (d *duration) UnmarshalText(text []byte) error {
	read, err := time.ParseDuration(string(text))
	if err != nil || read < 0 {
		return fmt.Errorf("must be a duration such as 10m or 24h, got %q", text)
	}
	*d = duration(read)
	return nil
}

type temporalSettings struct {
	WorkflowType string         `json:"workflow_type" env:"WORKFLOW_TYPE" meaning:"the workflow that retrains a model; setting it offers the backend temporal to policies"`
	TaskQueue    string         `json:"task_queue" env:"TASK_QUEUE" meaning:"the task queue of the worker that runs it"`
	Namespace    string         `json:"namespace" env:"NAMESPACE" meaning:"its namespace; not set, the monitors' own"`
	Address      string         `json:"address" env:"ADDRESS" meaning:"host:port of its cluster; not set, the monitors' own cluster, with its credentials"`
	APIKey       setting.Secret `json:"api_key" env:"API_KEY" meaning:"key of an API key login there; turns TLS on"`
	Profile      string         `json:"profile" env:"PROFILE" meaning:"a profile of Temporal's configuration file that says where the cluster is, for TLS with certificates"`
}

func (s *temporalSettings) open(p Process) (modelops.ModelOps, error) {
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
