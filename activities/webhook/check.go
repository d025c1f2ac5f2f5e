package webhook

import (
	"context"
	"fmt"
	"net/http"

	"github.com/modelvigil/modelvigil/internal/httpclient"
)

// Check asks the endpoint for its headers alone, unsigned. Any answer will do: it is
// there, and its certificate is good. Whether it takes requests only a request says.
func (e *Endpoint) Check(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, e.url.String(), nil)
	if err != nil {
		return fmt.Errorf("HEAD %s: %w", shown(e.url), httpclient.WithoutURL(err))
	}
	request.Header.Set("User-Agent", httpclient.UserAgent)
	response, err := e.client.Do(request)
	if err != nil {
		return fmt.Errorf("HEAD %s: no answer: %w; is it running there?", shown(e.url), httpclient.WithoutURL(err))
	}
	return response.Body.Close()
}
