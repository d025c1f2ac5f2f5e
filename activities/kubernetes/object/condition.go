package object

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/util/jsonpath"
)

// path finds a text in an object; nil finds none.
type path struct {
	mu     sync.Mutex // a JSONPath keeps state while it looks
	parsed *jsonpath.JSONPath
}

// parsePath reads a JSONPath, or the default where there is none. Its fault begins
// with the field.
func parsePath(field, text, otherwise string) (*path, []error) {
	if text == "" {
		text = otherwise
	}
	if text == "" {
		return nil, nil
	}
	if !strings.HasPrefix(text, "{") || !strings.HasSuffix(text, "}") {
		return nil, []error{fmt.Errorf("%s: must be a JSONPath in braces, such as {.status.message}, got %q", field, text)}
	}

	parsed := jsonpath.New(field).AllowMissingKeys(true)
	if err := parsed.Parse(text); err != nil {
		return nil, []error{fmt.Errorf("%s: %q is no JSONPath: %w", field, text, err)}
	}

	return &path{parsed: parsed}, nil
}

// values are the texts of what a path finds. An object that it doesn't fit has none.
func (p *path) values(object *unstructured.Unstructured) []string {
	if p == nil {
		return nil
	}

	p.mu.Lock()
	defer p.mu.Unlock()
	found, err := p.parsed.FindResults(object.Object)
	if err != nil { // a part of the path isn't there yet, or is of another type
		return nil
	}

	var texts []string
	for _, results := range found {
		for i := range results {
			var text bytes.Buffer
			if err := p.parsed.PrintResults(&text, results[i:i+1]); err == nil && text.Len() > 0 {
				texts = append(texts, text.String())
			}
		}
	}

	return texts
}

// text is all that a path finds.
func (p *path) text(object *unstructured.Unstructured) string {
	return strings.Join(p.values(object), " ")
}

// condition holds where a path finds a value.
type condition struct {
	path *path
	want string // empty means any
}

// parseConditions reads conditions. Their faults begin with the field.
func parseConditions(field string, texts []string) ([]condition, []error) {
	if len(texts) == 0 {
		return nil, []error{errors.New(field + ": is missing; must be a list of conditions such as {.status.phase}=Succeeded")}
	}

	var conditions []condition
	var faults []error
	for i, text := range texts {
		end := strings.LastIndex(text, "}")
		at := fmt.Sprintf("%s[%d]", field, i)
		rest := text[end+1:]
		if end < 0 || rest != "" && (!strings.HasPrefix(rest, "=") || rest == "=") {
			faults = append(faults, fmt.Errorf("%s: must be {JSONPath}=value, or {JSONPath} for any value, got %q", at, text))
			continue
		}

		path, wrong := parsePath(at, text[:end+1], "")
		faults = append(faults, wrong...)
		conditions = append(conditions, condition{path, strings.TrimPrefix(rest, "=")})
	}

	return conditions, faults
}

// hold says whether one of the conditions does.
func hold(conditions []condition, object *unstructured.Unstructured) bool {
	for _, c := range conditions {
		for _, value := range c.path.values(object) {
			if c.want == "" || value == c.want {
				return true
			}
		}
	}
	return false
}
