package yaml

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

var (
	withLine  = regexp.MustCompile(`^(?:yaml: )?line (\d+): (.*)$`)
	twice     = regexp.MustCompile(`key "(.*)" already set in map`)
	anchor    = regexp.MustCompile(`unknown anchor '(.*)' referenced`)
	badNumber = regexp.MustCompile(`json: unsupported value: (.*)`)
)

// Twice is how a fault ends that names a key which is there twice.
const Twice = "is there twice"

// words are what the parser says of a text that is no YAML, and what that means for
// whoever wrote it.
var words = []struct{ said, means string }{
	{"mapping values are not allowed", "a colon and a space stand inside a value, which must be in quotes then, or a line is indented too far"},
	{"tab character that violates indentation", "a tab indents; YAML takes spaces only"},
	{"cannot start any token", "a value begins with a tab, @, ` or %, which must be in quotes; and only spaces may indent"},
	{"did not find expected ',' or ']'", "a list that begins with [ has something else than a comma or ] behind an item"},
	{"did not find expected ',' or '}'", "a mapping that begins with { has something else than a comma or } behind a field"},
	{"found unexpected end of stream", "a text in quotes does not end"},
	{"did not find expected '-' indicator", "a list's items, each of which begins with -, are followed by something else that is indented alike"},
	{"did not find expected key", "a field is not indented as the one before it, or a text that holds quotes is not in quotes"},
	{"did not find expected node content", "a value is missing"},
	{"did not find expected alphabetic or numeric", "a value begins with * or &, which must be in quotes"},
	{"could not find expected ':'", "a line has no colon behind its key, or belongs to a text and is not indented as it"},
	{"block sequence entries are not allowed", "an item that begins with - stands behind its key; begin a new line"},
	{"control characters are not allowed", "it holds a control character"},
	{"invalid map key", "a field's name must be a text"},
	{"value contains itself", "an anchor stands inside itself"},
}

// said puts what the parser says into words for whoever wrote the text, each fault with
// its line.
func said(err error) error {
	if err == nil {
		return nil
	}

	var faults []string
	for line := range strings.Lines(strings.TrimPrefix(strings.TrimPrefix(err.Error(), "error converting YAML to JSON: "), "yaml: ")) {
		line = strings.TrimSpace(line)
		if line == "" || line == "unmarshal errors:" {
			continue
		}
		where := ""
		if found := withLine.FindStringSubmatch(line); found != nil {
			where = "line " + found[1] + ": "
			line = found[2]
		}
		faults = append(faults, where+meaning(line))
	}

	return errors.New("not YAML: " + strings.Join(faults, "; "))
}

// meaning is what one fault means; a fault that nobody has met yet stays as it is.
func meaning(fault string) string {
	if found := twice.FindStringSubmatch(fault); found != nil {
		return fmt.Sprintf("key %q %s", found[1], Twice)
	}
	if found := anchor.FindStringSubmatch(fault); found != nil {
		return fmt.Sprintf("*%s names no anchor; a text that begins with * must be in quotes", found[1])
	}
	if found := badNumber.FindStringSubmatch(fault); found != nil {
		return fmt.Sprintf("must be a finite number, got %s", found[1])
	}

	for _, w := range words {
		if strings.Contains(fault, w.said) {
			return w.means
		}
	}
	return strings.TrimPrefix(fault, "yaml: ")
}
