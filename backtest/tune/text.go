package tune

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/modelvigil/modelvigil/backtest/certify"
	"github.com/modelvigil/modelvigil/internal/plain"
)

// Text is what is said of tuned policies to people: comments, and below them each policy
// as a document that can be applied.
func Text(all []*Tuned) (string, error) {
	var documents []string
	for _, t := range all {
		document, err := t.document()
		if err != nil {
			return "", err
		}
		documents = append(documents, "# "+strings.ReplaceAll(strings.TrimSpace(t.said()), "\n", "\n# ")+"\n"+document)
	}
	return strings.Join(documents, "---\n"), nil
}

// said is what was found.
func (t *Tuned) said() string {
	name := plain.Text(t.Policy)
	if t.Document > 0 {
		name += fmt.Sprintf(" #%d", t.Document)
	}
	text := fmt.Sprintf("%s over %s: at most %s false alarms per %s wanted, %d points tried\n\n",
		name, plain.Text(t.ModelName), plain.Number(t.Allowed), t.Per, t.Points)
	text += plain.Table([][]string{certify.Head(t.Per, &t.Record), certify.Row("tuned", &t.Record), certify.Row("as it was", &t.Before)})
	text += fmt.Sprintf("by %d folds of time, each by thresholds that were found on the others\n\n", len(t.Folds))

	rows := [][]string{{"", "found"}}
	for range t.Folds {
		rows[0] = append(rows[0], "")
	}
	for i, fold := range t.Folds {
		rows[0][2+i] = "without " + fold.From.UTC().Format("2006-01-02")
	}
	for _, field := range slices.Sorted(maps.Keys(t.Values)) {
		row := []string{plain.Text(field), t.Values[field]}
		for _, fold := range t.Folds {
			row = append(row, fold.Values[field])
		}
		rows = append(rows, row)
	}
	text += plain.Table(rows)

	for _, note := range t.Notes {
		text += "\n" + note
	}
	return text
}

// document is the tuned policy as YAML. Profiles stay in their files.
func (t *Tuned) document() (string, error) {
	tuned := t.TunedPolicy
	tuned.Profiles = nil
	encoded, err := json.Marshal(tuned)
	if err != nil {
		return "", fmt.Errorf("tuned policy: %w", err)
	}
	document, err := yaml.JSONToYAML(encoded)
	if err != nil {
		return "", fmt.Errorf("tuned policy: %w", err)
	}
	name, err := yaml.Marshal(map[string]string{"model_name": t.ModelName})
	if err != nil {
		return "", fmt.Errorf("tuned policy: %w", err)
	}

	return string(name) + string(document), nil
}
