package otlp

import (
	"mime"
	"net/http"

	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/modelvigil/modelvigil/internal/plain"
)

const (
	typeProtobuf = "application/x-protobuf"
	typeJSON     = "application/json"
)

// form is one of the two encodings of OTLP/HTTP.
type form struct {
	contentType string
	unmarshal   func([]byte, proto.Message) error
	marshal     func(proto.Message) ([]byte, error)
	cost        costOf
}

var forms = map[string]*form{
	typeProtobuf: {typeProtobuf, proto.UnmarshalOptions{DiscardUnknown: true, RecursionLimit: 2 * maxDepth}.Unmarshal, proto.Marshal, protobufCost},
	typeJSON:     {typeJSON, protojson.UnmarshalOptions{DiscardUnknown: true, RecursionLimit: 2 * maxDepth}.Unmarshal, protojson.Marshal, jsonCost},
}

// formOf is the form of a request's body; nil where it is none of them.
func formOf(r *http.Request) *form {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return nil
	}
	return forms[media]
}

// maxDetail bounds what a refusal says, in bytes: a decoder's error may hold the text
// that it could not read, which is as long as the body.
const maxDetail = 1000

// Refuse answers a request as OTLP asks: a google.rpc.Status in the request's own
// form. Which status codes a client tries again, OTLP says: 429, 502, 503, 504.
func Refuse(w http.ResponseWriter, r *http.Request, status int, detail string) {
	f := formOf(r)
	if f == nil {
		f = forms[typeJSON]
	}
	f.write(w, status, &statuspb.Status{Code: int32(codeOf(status)), Message: plain.Excerpt(detail, maxDetail)}) //nolint:gosec // there are 17 codes
}

// codeOf is the gRPC code that google.rpc.Code gives for a status of HTTP.
func codeOf(status int) codes.Code {
	switch status {
	case http.StatusUnauthorized:
		return codes.Unauthenticated
	case http.StatusForbidden:
		return codes.PermissionDenied
	case http.StatusTooManyRequests:
		return codes.ResourceExhausted
	case http.StatusServiceUnavailable:
		return codes.Unavailable
	}

	return codes.InvalidArgument
}

func (f *form) write(w http.ResponseWriter, status int, message proto.Message) {
	encoded, err := f.marshal(message)
	if err != nil { // text that is not UTF-8
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", f.contentType)
	w.WriteHeader(status)
	_, _ = w.Write(encoded)
}
