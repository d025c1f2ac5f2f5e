package webhook

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/modelvigil/modelvigil/modelops"
)

const (
	secretPrefix = "whsec_"
	// Bytes of a symmetric secret, from the Standard Webhooks specification:
	// at least 24 (192 bits), at most 64 (512 bits).
	minSecretBytes = 24
	maxSecretBytes = 64
)

// parseSecret reads a secret. Its errors never tell it.
func parseSecret(secret string) (*standardwebhooks.Webhook, error) {
	encoded, prefixed := strings.CutPrefix(secret, secretPrefix)
	if !prefixed {
		return nil, fmt.Errorf("must begin with %s", secretPrefix)
	}

	key, err := base64.StdEncoding.DecodeString(encoded)
	switch {
	case err != nil:
		return nil, fmt.Errorf("must be %s and base64: %w", secretPrefix, err)
	case len(key) < minSecretBytes, len(key) > maxSecretBytes:
		return nil, fmt.Errorf("must be %s and the base64 of %d to %d bytes, got %d bytes",
			secretPrefix, minSecretBytes, maxSecretBytes, len(key))
	}

	return standardwebhooks.NewWebhookRaw(key)
}

// sign adds the signature of this attempt, made now.
func (e *Endpoint) sign(header http.Header, requestID string, body []byte) error {
	id, err := messageID(requestID)
	if err != nil {
		return modelops.Final(err)
	}

	now := time.Now()
	signature, err := e.signer.Sign(id, now, body)
	if err != nil {
		return modelops.Final(fmt.Errorf("sign the request: %w", err))
	}

	header.Set(standardwebhooks.HeaderWebhookID, id)
	header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	return nil
}

// timeBetweenDots is what might pass for a webhook-timestamp: any time since
// 1973 in Unix seconds.
var timeBetweenDots = regexp.MustCompile(`\.[+-]?[0-9]{9,}\.`)

// messageID is the webhook-id: the request id. The signature is made over
// <id>.<timestamp>.<body>; an id in which a model's name has put a timestamp
// between dots could be cut in another place and verify as another message, so
// in such an id the dots are percent-encoded. Standard Webhooks, "Signature
// scheme", warns of dots in ids that others may choose.
func messageID(requestID string) (string, error) {
	if requestID == "" {
		return "", errors.New("request id: is missing")
	}

	for i := range len(requestID) {
		if c := requestID[i]; c < 0x21 || c > 0x7E {
			return "", fmt.Errorf("request id: must be printable ASCII to be sent as a header, got %q", requestID)
		}
	}
	if timeBetweenDots.MatchString(requestID + ".") {
		return strings.ReplaceAll(requestID, ".", "%2E"), nil
	}
	return requestID, nil
}
