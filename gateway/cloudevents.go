package gateway

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/metric"
)

// attributes are those of a CloudEvent that matter here.
// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
type attributes struct {
	SpecVersion string  `json:"specversion"`
	ID          string  `json:"id"`
	Source      string  `json:"source"`
	Type        string  `json:"type"`
	Time        *string `json:"time"`
	ContentType *string `json:"datacontenttype"`

	occurred time.Time
}

// check names every fault, and reads the time.
func (a *attributes) check() error {
	var faults []error
	if a.SpecVersion != "1.0" {
		faults = append(faults, fmt.Errorf("specversion: must be 1.0, got %q", plain.Cut(a.SpecVersion, 20)))
	}
	for _, required := range []struct{ name, value string }{{"id", a.ID}, {"source", a.Source}, {"type", a.Type}} {
		if required.value == "" {
			faults = append(faults, fmt.Errorf("%s: must be given, as CloudEvents 1.0 demands", required.name))
		}
	}

	if a.Time != nil {
		var err error
		a.occurred, err = metric.ParseTimestamp(*a.Time, nil)
		if err != nil {
			faults = append(faults, fmt.Errorf("time: %w", err))
		}
	}
	if a.ContentType != nil {
		media, _, err := parseMedia(*a.ContentType)
		if err != nil || media != typeJSON && !strings.HasSuffix(media, "+json") {
			faults = append(faults, fmt.Errorf("datacontenttype: must be %s, got %q", typeJSON, plain.Cut(*a.ContentType, 60)))
		}
	}

	return errors.Join(faults...)
}

// attributesOf reads them from the header, as in binary mode; nil if the request
// is no CloudEvent.
func attributesOf(header http.Header) (*attributes, error) {
	if header.Get("Ce-Specversion") == "" && header.Get("Ce-Id") == "" && header.Get("Ce-Type") == "" {
		return nil, nil
	}

	a := &attributes{
		SpecVersion: header.Get("Ce-Specversion"), ID: header.Get("Ce-Id"), Source: header.Get("Ce-Source"),
		Type: header.Get("Ce-Type"),
	}
	if when := header.Get("Ce-Time"); when != "" {
		a.Time = &when
	}
	return a, a.check()
}

// shortestCloud is a CloudEvent that makes sense, of the fewest bytes.
const shortestCloud = `{"specversion":"1.0","id":"1","source":"s","type":"t","data":{"model_name":"m"}}`

var errTooShort = errors.New("is too short for a CloudEvent with an event")

// cloud publishes the event in a CloudEvent of structured mode, or rejects it.
func (t *taking) cloud(ctx context.Context, item []byte) {
	if t.outcome.RejectedTotal >= maxListed && len(item) < len(shortestCloud) {
		t.outcome.reject(errTooShort) // megabytes of nothing must not cost seconds
		return
	}
	var envelope struct {
		attributes
		Data       json.RawMessage `json:"data"`
		DataBase64 *string         `json:"data_base64"`
	}
	if err := json.Unmarshal(item, &envelope); err != nil {
		var wrongType *json.UnmarshalTypeError
		if errors.As(err, &wrongType) && wrongType.Field != "" {
			err = fmt.Errorf("%s: must be a string, got a %s", strings.TrimPrefix(wrongType.Field, "attributes."), wrongType.Value)
		} else {
			err = errors.New("must be a CloudEvent, a JSON object")
		}
		t.outcome.reject(err)
		return
	}

	err := envelope.check()
	data := []byte(envelope.Data)
	if len(data) > 0 && data[0] == '"' { // JSON as text, as serializers write it that take any data for a string
		var text string
		err = errors.Join(err, json.Unmarshal(data, &text))
		data = []byte(text)
	}
	switch {
	case envelope.DataBase64 != nil && data != nil:
		err = errors.Join(err, errors.New("data: must not be given with data_base64"))
	case envelope.DataBase64 != nil:
		var decodeErr error
		data, decodeErr = base64.StdEncoding.DecodeString(*envelope.DataBase64)
		if decodeErr != nil {
			err = errors.Join(err, fmt.Errorf("data_base64: %w", decodeErr))
		}
	case data == nil:
		err = errors.Join(err, errors.New("data: must be an event, is missing"))
	}

	if err != nil {
		t.outcome.reject(err)
		return
	}

	t.occurred = envelope.occurred
	t.one(ctx, data)
}
