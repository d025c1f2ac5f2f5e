// Package setting reads what a process is set up by, of many things of few kinds:
// the fields of one in a file, strictly, and secrets, which the file only refers to.
package setting

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
)

// Secret is a setting that nothing may show. In a file it is a reference, {env:
// NAME} or {file: PATH}; in the environment the variable itself, or the one of
// that name with _FILE holds it, or the path of the file that does.
type Secret struct {
	value     string
	reference reference // of a file, until it is looked up
}

type reference struct{ Env, File string }

// maxSecretBytes bounds a file that holds a secret.
const maxSecretBytes = 64 << 10

// Value is the secret itself.
func (s Secret) Value() string { return s.value }

// String hides it.
func (s Secret) String() string {
	if s.value == "" {
		return ""
	}
	return "(secret)"
}

// GoString hides it from %#v.
func (s Secret) GoString() string { return s.String() }

// MarshalText hides it from JSON and logs.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText takes it from a variable of the environment.
func (s *Secret) UnmarshalText(text []byte) error {
	s.value = string(text)
	return nil
}

var errReference = errors.New("must be {env: VARIABLE} or {file: PATH}, so that the file itself holds no secret")

// UnmarshalJSON takes a reference.
func (s *Secret) UnmarshalJSON(text []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var r *reference
	if err := decoder.Decode(&r); err != nil || r == nil || (r.Env == "") == (r.File == "") {
		return errReference
	}
	s.reference = *r
	return nil
}

// Look replaces the reference by what it refers to, in the environment or in a file.
func (s *Secret) Look(environment map[string]string) error {
	switch r := s.reference; {
	case r.Env != "":
		s.value = environment[r.Env]
		if s.value == "" {
			return fmt.Errorf("the environment has no %s, or it is empty", r.Env)
		}
	case r.File != "":
		return s.Read(r.File)
	}
	return nil
}

// Read takes the secret from a file; the line's end is none of it.
func (s *Secret) Read(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Size() > maxSecretBytes {
		return fmt.Errorf("%s has %d bytes, which is no secret", path, info.Size())
	}

	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}

	s.value = strings.TrimRight(string(text), "\r\n")
	if s.value == "" {
		return fmt.Errorf("%s is empty", path)
	}

	return nil
}

// Secrets are the secrets among the fields of a struct, by the names that the
// fields have in a file. settings is a pointer to it.
func Secrets(settings any) map[string]*Secret {
	secrets := map[string]*Secret{}
	value := reflect.ValueOf(settings).Elem()
	for i := range value.NumField() {
		if secret, ok := value.Field(i).Addr().Interface().(*Secret); ok {
			secrets[value.Type().Field(i).Tag.Get("json")] = secret
		}
	}
	return secrets
}
