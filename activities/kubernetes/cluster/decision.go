package cluster

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/modelops"
)

// Annotations of what is created for a request. Only RequestID tells whose it is.
const (
	AnnotationRequestID       = "modelvigil.ai/request-id"
	AnnotationModelName       = "modelvigil.ai/model-name"
	AnnotationModelVersion    = "modelvigil.ai/model-version" // the one that breached
	AnnotationReason          = "modelvigil.ai/reason"
	AnnotationNewModelVersion = "modelvigil.ai/new-model-version" // the trainer's answer
)

// Labels of what is created for a request, to select it by. A label takes fewer
// characters than a model's name, so that LabelModel is only near it.
const (
	LabelManagedBy = "app.kubernetes.io/managed-by"
	LabelModel     = "modelvigil.ai/model"
	managedBy      = "modelvigil"
)

const (
	namePrefix = "retrain-" // a letter first, which some kinds demand
	// maxNameBytes leaves room for what controllers append to a name in the 63
	// bytes of a label; CronJobs keep to the same bound.
	maxNameBytes  = 52
	maxLabelBytes = 63
)

// Name is the name of what is created for a request: of the model's name what a
// name in Kubernetes takes, and 80 bits of the request id's SHA-256.
func Name(request modelops.Request) string {
	sum := sha256.Sum256([]byte(request.RequestID))
	hash := strings.ToLower(base32.StdEncoding.EncodeToString(sum[:10]))
	room := maxNameBytes - len(namePrefix) - len("-") - len(hash)
	model := clean(strings.ToLower(request.ModelName), room, "")
	if model != "" {
		model += "-"
	}
	return namePrefix + model + hash
}

// clean is what is left of a text, at most limit bytes of it, when every run of
// characters that are no letters or digits of ASCII, nor in keep, is a hyphen.
func clean(text string, limit int, keep string) string {
	parts := strings.FieldsFunc(text, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && !strings.ContainsRune(keep, r)
	})
	text = strings.Join(parts, "-")
	return strings.Trim(text[:min(len(text), limit)], "-"+keep)
}

// Labels are a request's.
func Labels(request modelops.Request) map[string]string {
	return map[string]string{LabelManagedBy: managedBy, LabelModel: clean(request.ModelName, maxLabelBytes, "._")}
}

// Annotations are a request's, in its own words.
func Annotations(request modelops.Request) map[string]string {
	return map[string]string{
		AnnotationRequestID: request.RequestID, AnnotationModelName: request.ModelName,
		AnnotationModelVersion: request.ModelVersion, AnnotationReason: request.Reason,
	}
}

// IsOurs says whether what carries these annotations was created for a request.
func IsOurs(annotations map[string]string, request modelops.Request) bool {
	return request.RequestID != "" && annotations[AnnotationRequestID] == request.RequestID
}

// Variable is a part of the decision under the name that a trainer reads it by.
type Variable struct{ Name, Value string }

// ParamPrefix begins the variables of a policy's params.
const ParamPrefix = "MODELVIGIL_PARAM_"

// VariableNames are those of every decision; besides, each of its params is
// ParamPrefix and the param's name in capitals.
var VariableNames = []string{
	"MODELVIGIL_REQUEST_ID", "MODELVIGIL_MODEL_NAME", "MODELVIGIL_MODEL_VERSION", "MODELVIGIL_REASON", "MODELVIGIL_RULE",
	"MODELVIGIL_METRIC", "MODELVIGIL_VALUE", "MODELVIGIL_THRESHOLD", "MODELVIGIL_TRIGGERED_AT", "MODELVIGIL_PARAMS", "MODELVIGIL_REQUEST",
}

// Variables are the decision: the parts of VariableNames, in that order, then the
// params by name. What the decision doesn't have is empty. Of two params whose
// names differ only in what a variable's name can't hold, the first counts;
// MODELVIGIL_PARAMS has both.
func Variables(request modelops.Request) ([]Variable, error) {
	whole, err := json.Marshal(request)
	if err != nil {
		return nil, fmt.Errorf("encode the request: %w", err)
	}

	params := []byte("{}")
	if len(request.Params) > 0 {
		params, err = json.Marshal(request.Params)
		if err != nil {
			return nil, fmt.Errorf("encode the request's params: %w", err)
		}
	}

	values := []string{
		request.RequestID, request.ModelName, request.ModelVersion, request.Reason, request.Rule,
		request.Metric, reading(request.Value), reading(request.Threshold),
		request.TriggeredAt.UTC().Format(time.RFC3339Nano), string(params), string(whole),
	}
	variables := make([]Variable, 0, len(values)+len(request.Params))
	for i, value := range values {
		variables = append(variables, Variable{VariableNames[i], value})
	}
	taken := map[string]bool{}
	for _, param := range slices.Sorted(maps.Keys(request.Params)) {
		name := ParamPrefix + strings.ToUpper(strings.ReplaceAll(clean(param, len(param), "_"), "-", "_"))
		if !taken[name] && name != ParamPrefix {
			taken[name] = true
			variables = append(variables, Variable{name, plain.JSON(request.Params[param])})
		}
	}

	return variables, nil
}

func reading(value *float64) string {
	if value == nil {
		return ""
	}
	return strconv.FormatFloat(*value, 'g', -1, 64)
}

// FieldManager is whose the fields of what is created are said to be.
const FieldManager = "modelvigil"

// CheckAnnotation says what is wrong with a setting that names an annotation.
func CheckAnnotation(field, annotation string) error {
	if wrong := validation.IsQualifiedName(annotation); len(wrong) > 0 {
		return fmt.Errorf("%s: %q is no annotation's name: %s", field, annotation, strings.Join(wrong, "; "))
	}
	return nil
}
