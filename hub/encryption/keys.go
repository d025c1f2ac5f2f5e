package encryption

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"go.temporal.io/sdk/client"
)

const (
	keyBytes   = 32
	maxIDBytes = 64
	maxKeys    = 100
)

// Key is a key of AES-256 and its id, which goes with every payload in the clear.
type Key struct {
	ID     string // 1 to 64 printable ASCII characters without spaces or colons
	secret [keyBytes]byte
}

// NewKey returns a key of 32 bytes.
func NewKey(id string, secret []byte) (Key, error) {
	key := Key{ID: id}
	switch {
	case id == "" || len(id) > maxIDBytes || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' || r == ':' }):
		return key, fmt.Errorf("key id: must be 1 to %d printable ASCII characters without spaces or colons, got %.70q", maxIDBytes, id)
	case len(secret) != keyBytes:
		return key, fmt.Errorf("key %s: must have %d bytes, has %d; `openssl rand -base64 32` makes one", id, keyBytes, len(secret))
	}
	copy(key.secret[:], secret)
	return key, nil
}

// String keeps the secret out of logs.
func (k Key) String() string { return k.ID }

// GoString keeps the secret out of logs.
func (k Key) GoString() string { return k.ID }

// LogValue keeps the secret out of logs.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.ID) }

// ReadKeys reads a file of keys, one `ID: BASE64` to a line; the first is the
// current one, with which is encrypted. Empty lines and those with # are comments.
// It names every bad line, and never what is in it.
func ReadKeys(path string) ([]Key, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read encryption keys: %w", err)
	}

	var keys []Key
	var faults []error
	seen := map[string]int{}
	lines := bufio.NewScanner(bytes.NewReader(content))
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}

		id, encoded, found := strings.Cut(line, ":")
		secret, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
		switch {
		case !found:
			err = errors.New("must be ID: BASE64")
		case err != nil:
			err = errors.New("behind the colon must be base64 with its padding") // the error quotes the secret
		default:
			var key Key
			key, err = NewKey(strings.TrimSpace(id), secret)
			if err == nil && seen[key.ID] > 0 {
				err = fmt.Errorf("key %s is line %d's too", key.ID, seen[key.ID])
			}
			seen[key.ID] = number
			keys = append(keys, key)
		}

		if err != nil {
			faults = append(faults, fmt.Errorf("%s:%d: %w", path, number, err))
		}
	}

	faults = append(faults, lines.Err())
	switch {
	case errors.Join(faults...) != nil:
		return nil, errors.Join(faults...)
	case len(keys) == 0:
		return nil, fmt.Errorf("%s: has no key; a line is ID: BASE64, and `openssl rand -base64 32` makes one", path)
	case len(keys) > maxKeys:
		return nil, fmt.Errorf("%s: must have at most %d keys, has %d", path, maxKeys, len(keys))
	}

	return keys, nil
}

// Open returns the codec of a file of keys; nil for no file.
func Open(path string) (*Codec, error) {
	if path == "" {
		return nil, nil
	}
	keys, err := ReadKeys(path)
	if err != nil {
		return nil, err
	}
	return New(keys)
}

// ApplyFile makes a client encrypt with the keys of a file; "" changes nothing.
func ApplyFile(path string, options *client.Options) error {
	codec, err := Open(path)
	if codec != nil {
		codec.Apply(options)
	}
	return err
}
