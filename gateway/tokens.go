package gateway

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/modelvigil/modelvigil/metric"
)

const (
	minTokenBytes = 16
	hashPrefix    = "sha256:"
)

// token is one line of the tokens' file; nil stands for anybody.
type token struct {
	name   string
	hash   [sha256.Size]byte
	models []string // patterns of path.Match; none means every model
}

// allow says whether the token may publish to a model.
func (t *token) allow(model string) error {
	if t == nil || len(t.models) == 0 {
		return nil
	}

	if len(model) > metric.MaxModelNameBytes { // of no model, and too long to be held against patterns
		return fmt.Errorf("model_name: must be at most %d bytes", metric.MaxModelNameBytes)
	}
	for _, pattern := range t.models {
		if matched, _ := path.Match(pattern, model); matched {
			return nil
		}
	}
	return fmt.Errorf("model_name: %w, only to %s", ErrForbidden, strings.Join(t.models, ", "))
}

func (t *token) label() string {
	if t == nil {
		return ""
	}
	return t.name
}

// parseTokens reads the tokens' file: to a line a name, the token or the SHA-256
// of it, and the patterns of the models that it may publish to, if not to all.
func parseTokens(text string) ([]token, error) {
	var tokens []token
	var faults []error
	names, hashes := map[string]bool{}, map[[sha256.Size]byte]string{}
	number := 0
	for line := range strings.Lines(text) {
		number++
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}

		t, err := parseToken(fields)
		if err == nil && names[t.name] {
			err = fmt.Errorf("%q is the name of another token, too", t.name)
		}
		if before := hashes[t.hash]; err == nil && before != "" { // whose models would it have?
			err = fmt.Errorf("the token of %q is that of %q, too", t.name, before)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("line %d: %w", number, err))
			continue
		}

		names[t.name] = true
		hashes[t.hash] = t.name
		tokens = append(tokens, t)
	}

	if len(tokens) == 0 && len(faults) == 0 {
		faults = append(faults, errors.New("has no token; a line is: NAME TOKEN [MODEL-PATTERN…]"))
	}
	return tokens, errors.Join(faults...)
}

func parseToken(fields []string) (token, error) {
	if len(fields) < 2 {
		return token{}, errors.New("must be NAME TOKEN [MODEL-PATTERN…], has one word")
	}

	t := token{name: fields[0], models: fields[2:]}
	secret, hashed := strings.CutPrefix(fields[1], hashPrefix)
	switch sum, err := hex.DecodeString(secret); {
	case hashed && (err != nil || len(sum) != len(t.hash)):
		return token{}, fmt.Errorf("the token of %q: %s must be followed by 64 hex digits, as `printf %%s TOKEN | sha256sum` prints them", t.name, hashPrefix)
	case hashed:
		copy(t.hash[:], sum)
	case len(secret) < minTokenBytes:
		return token{}, fmt.Errorf("the token of %q: must have at least %d characters, has %d; `openssl rand -hex 24` makes a good one", t.name, minTokenBytes, len(secret))
	default:
		t.hash = sha256.Sum256([]byte(secret))
	}

	for _, pattern := range t.models {
		if _, err := path.Match(pattern, ""); err != nil {
			return token{}, fmt.Errorf("the pattern %q of %q: %w; such as fraud-*", pattern, t.name, err)
		}
	}

	return t, nil
}

// Tokens are those of a file, which is read again when it changes.
type Tokens struct{ file *watched[[]token] }

// isFaulty says that the file can't be used as it is now, and what it said before
// holds on.
func (t *Tokens) isFaulty() bool {
	_ = t.file.get() // looks
	return t.file.isFaulty.Load()
}

var (
	errNoToken      = errors.New("no token; send the header Authorization: Bearer TOKEN")
	errUnknownToken = errors.New("this token is not known here")
)

// find returns the token of an Authorization header. Every token is compared, in
// constant time each.
func (t *Tokens) find(headers []string) (*token, error) {
	if len(headers) != 1 {
		return nil, errNoToken
	}

	scheme, secret, _ := strings.Cut(headers[0], " ")
	secret = strings.TrimSpace(secret)
	if !strings.EqualFold(scheme, "Bearer") || secret == "" {
		return nil, errNoToken
	}

	hash := sha256.Sum256([]byte(secret))
	tokens := t.file.get()
	found := -1
	for i := range tokens {
		found = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(hash[:], tokens[i].hash[:]), i, found)
	}
	if found < 0 {
		return nil, errUnknownToken
	}

	return &tokens[found], nil
}
