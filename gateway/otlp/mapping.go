package otlp

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	common "go.opentelemetry.io/proto/otlp/common/v1"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/internal/strict"
	"github.com/modelvigil/modelvigil/internal/yaml"
	"github.com/modelvigil/modelvigil/metric"
)

// Mapping says which data points are readings of which model. The zero value of
// each field is its default.
type Mapping struct {
	// ModelName and ModelVersion are attributes; the first that is there counts, on
	// the data point, else its scope, else its resource. Defaults: model_name,
	// gen_ai.request.model, service.name; and model_version, gen_ai.response.model,
	// service.version.
	ModelName    []string `json:"model_name"`
	ModelVersion []string `json:"model_version"`
	// Metrics names readings by metric. Of metrics that are not in it only those
	// data points are taken that have the model's name as an attribute of their own;
	// they keep the metric's name. Default: accuracy, latency_ms and drift_score as
	// they are, gen_ai.client.operation.duration and gen_ai.server.request.duration
	// as latency_ms.
	Metrics map[string]string `json:"metrics"`
}

func (m Mapping) withDefaults() Mapping {
	if len(m.ModelName) == 0 {
		m.ModelName = []string{"model_name", "gen_ai.request.model", "service.name"}
	}
	if len(m.ModelVersion) == 0 {
		m.ModelVersion = []string{"model_version", "gen_ai.response.model", "service.version"}
	}
	if len(m.Metrics) == 0 {
		m.Metrics = map[string]string{
			metric.Accuracy: metric.Accuracy, metric.LatencyMS: metric.LatencyMS, metric.DriftScore: metric.DriftScore,
			"gen_ai.client.operation.duration": metric.LatencyMS, "gen_ai.server.request.duration": metric.LatencyMS,
		}
	}

	return m
}

// ReadMapping reads a mapping from a file of YAML.
func ReadMapping(path string) (m Mapping, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return m, err
	}
	object, err := yaml.ToJSON(text)
	if err == nil {
		err = strict.Struct(object, "", &m)
	}
	if err != nil {
		return m, fmt.Errorf("%s: %s", path, plain.Faults(err))
	}

	var faults []error
	for name, reading := range m.Metrics {
		if len(reading) == 0 || len(reading) > metric.MaxNameBytes {
			faults = append(faults, fmt.Errorf("%s: metrics.%s: must be a reading's name of 1 to %d bytes", path, name, metric.MaxNameBytes))
		}
	}

	if slices.Contains(m.ModelName, "") || slices.Contains(m.ModelVersion, "") {
		faults = append(faults, fmt.Errorf("%s: model_name, model_version: an attribute's name must not be empty", path))
	}
	return m, errors.Join(faults...)
}

func textOf(value *common.AnyValue) string {
	switch v := value.GetValue().(type) {
	case *common.AnyValue_StringValue:
		return v.StringValue
	case *common.AnyValue_IntValue:
		return strconv.FormatInt(v.IntValue, 10)
	case *common.AnyValue_DoubleValue:
		return strconv.FormatFloat(v.DoubleValue, 'g', -1, 64)
	case *common.AnyValue_BoolValue:
		return strconv.FormatBool(v.BoolValue)
	}

	return ""
}

// scaleOf turns a duration's unit, as UCUM writes it, into the milliseconds that
// the reading's name promises.
func scaleOf(unit, reading string) float64 {
	if !strings.HasSuffix(reading, "_ms") {
		return 1
	}

	switch unit {
	case "s":
		return 1e3
	case "us":
		return 1e-3
	case "ns":
		return 1e-6
	}
	return 1
}
