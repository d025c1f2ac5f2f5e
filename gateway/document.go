package gateway

import (
	_ "embed" // for the document
	"net/http"
)

// document is the OpenAPI description of what the gateway serves; docs/openapi.json
// is a copy.
//
//go:embed openapi.json
var document []byte

func serveDocument(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(document)
}
