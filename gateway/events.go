package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/modelvigil/modelvigil/hub"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/internal/strict"
	"github.com/modelvigil/modelvigil/metric"
)

// The media types of bodies.
const (
	typeJSON   = "application/json"
	typeNDJSON = "application/x-ndjson"
	typeCloud  = "application/cloudevents+json"
	typeClouds = "application/cloudevents-batch+json"
	allTypes   = typeJSON + ", " + typeNDJSON + ", " + typeCloud + ", " + typeClouds
)

var decoders = sync.Pool{New: func() any { return newDecoder() }}

// prepareEvents serves POST /v1/events.
func (g *Gateway) prepareEvents(r *http.Request) (take, *problem) {
	form, durable, refused := formOf(r)
	return func(w http.ResponseWriter, r *http.Request, in *intake) { g.takeEvents(w, r, in, form, durable) }, refused
}

func (g *Gateway) takeEvents(w http.ResponseWriter, r *http.Request, in *intake, f form, durable bool) {
	t := &taking{gateway: g, in: in, publish: in.party.account.Publish, outcome: newOutcome(), now: time.Now()}
	held := &memory{bodies: g.bodies, party: in.token.label()} // until it is answered
	defer held.free()
	var receipt *hub.Receipt
	if durable {
		receipt = in.party.account.NewReceipt()
		t.publish = waitable(receipt, held)
	}

	t.decoder = decoders.Get().(*decoder)
	refused := t.take(r.Context(), f)
	decoders.Put(t.decoder)
	in.party.accepted.Add(t.outcome.Accepted)
	in.rest()
	t.outcome.list(held)
	g.metrics.add(in.token, t.outcome.Accepted, t.outcome.RejectedTotal)
	switch {
	case refused != nil:
		refused.outcome = t.outcome
		refused.write(w)
	case t.outcome.Accepted == 0 && t.outcome.RejectedTotal > 0:
		t.outcome.refusal().write(w)
	case durable:
		g.await(r.Context(), w, receipt, t.outcome)
	default:
		t.outcome.write(w, http.StatusAccepted)
	}
}

// receiptBytes is what a model takes in the receipt of a request that waits to be
// durable, and in an answer that says it is not, with its name three times.
const receiptBytes = 512

// waitable publishes by a receipt what there is memory to wait for: a body can name ten
// thousand models, and a thousand requests may wait at once.
func waitable(receipt *hub.Receipt, held *memory) func(context.Context, metric.Event) error {
	return func(ctx context.Context, event metric.Event) error {
		if receipt.Has(event.ModelName) {
			return receipt.Publish(ctx, event)
		}

		bytes := int64(receiptBytes + 3*len(event.ModelName))
		if !held.take(bytes) {
			return ErrNotNow
		}
		err := receipt.Publish(ctx, event)
		if !receipt.Has(event.ModelName) {
			held.take(-bytes)
		}
		return err
	}
}

// await answers once all is durable, or can't be: 409 where monitors have refused for good
// all that is not, 504 where some of it may be durable yet, or be so unseen.
func (g *Gateway) await(ctx context.Context, w http.ResponseWriter, receipt *hub.Receipt, o *outcome) {
	ctx, cancel := context.WithTimeout(ctx, g.options.DurableTimeout)
	defer cancel()
	err := receipt.Flush(ctx)
	if err == nil {
		o.write(w, http.StatusOK)
		return
	}

	answer := problem{Status: http.StatusGatewayTimeout, outcome: o}
	const again = "what no monitor has refused may be yet: publish it again, and it may count twice"
	switch {
	case errors.Is(err, hub.ErrClosed): // what was on its way then may have arrived
		answer.Detail = "accepted, but not durable when the gateway stopped: publish again what no monitor has refused, and it may count twice"
	case !errors.Is(err, ctx.Err()): // also where it is nil
		answer.Status = http.StatusConflict
		answer.Detail = "accepted, but refused for good"
	case errors.Is(err, context.Canceled):
		answer.Detail = "accepted, but not durable when the connection was closed; " + again
	default:
		answer.Detail = fmt.Sprintf("accepted, but not durable within %v; %s", g.options.DurableTimeout, again)
	}

	answer.Detail += fmt.Sprintf(" (%s)", plain.Faults(err))
	var not *hub.NotDurableError
	if errors.As(err, &not) {
		answer.NotDurable = not.Events
	}
	answer.write(w)
}

// refusal is the answer where every event of a body was rejected.
func (o *outcome) refusal() problem {
	answer := problem{Status: http.StatusUnprocessableEntity, outcome: o, Detail: "no event was accepted; rejected says why"}
	switch {
	case o.forbidden == o.RejectedTotal:
		answer.Status = http.StatusForbidden
	case o.notNow > 0:
		answer.Status = http.StatusTooManyRequests
	}
	return answer
}

// form is how a body holds its events.
type form struct {
	media string
	cloud *attributes // of the headers, in CloudEvents' binary mode
}

// formOf reads what the header and the query say.
func formOf(r *http.Request) (f form, durable bool, refused *problem) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return f, false, badRequest("the query: %v", err)
	}

	for name, values := range query {
		switch {
		case name != "durable":
			return f, false, badRequest("unknown parameter %q; there is durable=true", plain.Cut(name, 60))
		case len(values) != 1 || values[0] != "true" && values[0] != "false":
			return f, false, badRequest("durable: must be true or false, got %q", plain.Cut(strings.Join(values, ", "), 60))
		}
		durable = values[0] == "true"
	}

	f.media = mediaOf(r.Header.Get("Content-Type"))
	if f.media == "" {
		return f, false, &problem{
			Status: http.StatusUnsupportedMediaType, header: http.Header{"Accept-Post": {allTypes}},
			Detail: fmt.Sprintf("Content-Type: must be one of %s, in UTF-8, got %q; nothing was accepted", allTypes, plain.Cut(r.Header.Get("Content-Type"), 100)),
		}
	}

	if f.media == typeJSON || f.media == typeNDJSON {
		f.cloud, err = attributesOf(r.Header)
		if err != nil {
			return f, false, badRequest("%s", plain.Faults(err))
		}
	}

	return f, durable, nil
}

// mediaOf is the media type of a body, or empty where it is none of ours.
func mediaOf(contentType string) string {
	media, parameters, err := parseMedia(contentType)
	if charset, given := parameters["charset"]; err != nil || given && !strings.EqualFold(charset, "utf-8") {
		return ""
	}

	switch media {
	case typeJSON, typeCloud, typeClouds:
		return media
	case typeNDJSON, "application/ndjson", "application/jsonl":
		return typeNDJSON
	}
	return ""
}

// maxMediaBytes bounds a media type with its parameters, of which a map is made.
const maxMediaBytes = 1000

var errLongMedia = fmt.Errorf("is longer than %d bytes", maxMediaBytes)

// parseMedia reads a media type.
func parseMedia(text string) (media string, parameters map[string]string, err error) {
	if len(text) > maxMediaBytes {
		return "", nil, errLongMedia
	}
	return mime.ParseMediaType(text)
}

func badRequest(format string, args ...any) *problem {
	return &problem{Status: http.StatusBadRequest, Detail: fmt.Sprintf(format, args...) + "; nothing was accepted"}
}

// taking is one body on its way to the hub.
type taking struct {
	gateway *Gateway
	in      *intake
	decoder *decoder
	publish func(context.Context, metric.Event) error
	outcome *outcome
	now     time.Time
	// occurred, where it is set, is the timestamp of events that have none.
	occurred time.Time
}

// take publishes each event of the body. It is refused as a whole, and then
// nothing is accepted, where it is no JSON.
func (t *taking) take(ctx context.Context, f form) *problem {
	if f.cloud != nil {
		t.occurred = f.cloud.occurred
	}
	body := bytes.TrimPrefix(t.in.body, strict.ByteOrderMark)
	if f.media == typeNDJSON {
		for line := range bytes.Lines(body) {
			line = bytes.TrimSpace(line)
			if len(line) > 0 {
				t.one(ctx, line)
			}
		}
		return nil
	}
	if fault := checkJSON(body); fault != nil && !isClosedList(body) {
		return badRequest("%v", fault)
	}

	one := t.one
	if f.media == typeCloud || f.media == typeClouds {
		one = t.cloud
	}
	isList := body[space(body, 0)] == '['
	switch {
	case f.media == typeClouds && !isList:
		return badRequest("%s: must be a JSON array of events", typeClouds)
	case f.media == typeCloud && isList:
		return badRequest("%s: must be one event; a list of them is %s", typeCloud, typeClouds)
	case isList:
		for element := range elements(body) {
			one(ctx, element)
		}
	default:
		one(ctx, body)
	}

	return nil
}

// one publishes an event, or rejects it.
func (t *taking) one(ctx context.Context, item []byte) {
	event, err := t.decoder.decode(item, t.now, t.outcome.RejectedTotal < maxListed)
	if err == nil {
		if event.Timestamp.IsZero() {
			event.Timestamp = t.occurred
		}
		err = t.in.admits(t.gateway, event.ModelName)
	}
	if err == nil {
		err = cause(t.publish(ctx, *event))
	}

	if err != nil {
		t.outcome.reject(err)
		return
	}

	t.outcome.Accepted++
}

// checkJSON says where a body is no JSON text.
func checkJSON(body []byte) error {
	if json.Valid(body) {
		return nil
	}
	var whole json.RawMessage
	return strict.Got(json.Unmarshal(body, &whole), body)
}

// elements are those of a JSON array, which is known to be well-formed, or at least
// a closed list.
func elements(list []byte) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		start, depth := 0, 0
		for i := 0; i < len(list); i++ {
			switch list[i] {
			case '"':
				for i++; list[i] != '"'; i++ {
					if list[i] == '\\' {
						i++
					}
				}
			case '[', '{':
				if depth++; depth == 1 {
					start = i + 1
				}
			case ',', ']', '}':
				isEnd := depth == 1
				if list[i] != ',' {
					depth--
				}
				if !isEnd {
					continue
				}

				element := bytes.TrimSpace(list[start:i])
				if len(element) > 0 && !yield(element) { // nothing is in an empty list
					return
				}

				start = i + 1
			}
		}
	}
}
