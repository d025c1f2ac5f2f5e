package object

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/modelvigil/modelvigil/activities/kubernetes/cluster"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/modelops"
)

// annotationRequest has the whole decision as JSON.
const annotationRequest = "modelvigil.ai/request"

// template is an object with places for the parts of a decision.
type template struct {
	kind   schema.GroupVersionKind
	object map[string]any // never changed
}

// place is where a part of the decision goes.
var place = regexp.MustCompile(`\$\{(MODELVIGIL_[A-Za-z0-9_]*)\}`)

// parseTemplate reads a template. Its faults begin with the field.
func parseTemplate(text string) (template, []error) {
	if strings.TrimSpace(text) == "" {
		return template{}, []error{errors.New("template: is missing; must be an object, with apiVersion and kind, that retrains a model")}
	}

	var object map[string]any
	encoded, err := yaml.YAMLToJSONStrict([]byte(text))
	if err == nil {
		err = json.Unmarshal(encoded, &object)
	}
	if err != nil {
		return template{}, []error{fmt.Errorf("template: must be one object in YAML or JSON: %s", plain.Excerpt(err.Error(), cluster.MaxMessageBytes))}
	}

	t := template{(&unstructured.Unstructured{Object: object}).GroupVersionKind(), object}
	var faults []error
	for _, field := range []string{"apiVersion", "kind"} {
		if text, _ := object[field].(string); text == "" || place.MatchString(text) {
			faults = append(faults, fmt.Errorf("template: %s: must be a text, got %v", field, object[field]))
		}
	}

	if _, isObject := object["metadata"].(map[string]any); object["metadata"] != nil && !isObject {
		faults = append(faults, errors.New("template: metadata: must be an object"))
	}
	names := map[string]bool{}
	_ = replaced(object, false, func(name string) string { names[name] = true; return "" })
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !slices.Contains(cluster.VariableNames, name) && !strings.HasPrefix(name, cluster.ParamPrefix) {
			faults = append(faults, fmt.Errorf("template: ${%s}: is no part of a decision; there are %s, and %s<NAME> for the policy's params",
				name, strings.Join(cluster.VariableNames, ", "), cluster.ParamPrefix))
		}
	}

	return t, faults
}

// fill is the object of a request.
func (t template) fill(name, namespace string, request modelops.Request) (*unstructured.Unstructured, error) {
	decision, err := cluster.Variables(request)
	if err != nil {
		return nil, err
	}

	values := map[string]string{}
	for _, variable := range decision {
		values[variable.Name] = variable.Value
	}
	filled := replaced(t.object, false, func(name string) string { return values[name] }).(map[string]any)
	object := &unstructured.Unstructured{Object: filled}
	object.SetName(name)
	object.SetGenerateName("")
	object.SetNamespace(namespace)
	labels, annotations := object.GetLabels(), object.GetAnnotations()
	if labels == nil {
		labels = map[string]string{}
	}
	if annotations == nil {
		annotations = map[string]string{}
	}
	maps.Copy(labels, cluster.Labels(request))
	maps.Copy(annotations, cluster.Annotations(request))
	annotations[annotationRequest] = values["MODELVIGIL_REQUEST"]
	delete(annotations, cluster.AnnotationNewModelVersion) // the trainer's to write
	object.SetLabels(labels)
	object.SetAnnotations(annotations)
	return object, nil
}

// containers are the fields of a pod whose texts the kubelet looks through for
// $(VARIABLE): a model of that name would be told what the variable holds.
var containers = []string{"containers", "initContainers", "ephemeralContainers"}

// replaced is a copy of a JSON value whose texts have values in their places. What
// is put in isn't looked through again, by the kubelet neither.
func replaced(value any, isContainer bool, with func(name string) string) any {
	switch value := value.(type) {
	case string:
		return place.ReplaceAllStringFunc(value, func(found string) string {
			put := with(place.FindStringSubmatch(found)[1])
			if isContainer {
				put = strings.ReplaceAll(put, "$", "$$")
			}
			return put
		})
	case map[string]any:
		copied := make(map[string]any, len(value))
		for key, inner := range value {
			copied[key] = replaced(inner, isContainer || slices.Contains(containers, key), with)
		}
		return copied
	case []any:
		copied := make([]any, len(value))
		for i, inner := range value {
			copied[i] = replaced(inner, isContainer, with)
		}
		return copied
	}

	return value
}

func isSubresource(resource string) bool { return strings.Contains(resource, "/") }
