package webhook

import (
	"context"
	"fmt"
	"net/http"
)

// Check asks the endpoint for its headers alone, unsigned. Any answer will do: it is
// there, and its certificate is good. Whether it takes requests only a request says.
func (b *Backend) Check(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, b.url.String(), nil)
	if err != nil {
		return fmt.Errorf("HEAD %s: %w", shown(b.url), withoutURL(err))
	}
	request.Header.Set("User-Agent", userAgent)
	response, err := b.client.Do(request)
	if err != nil {
		return fmt.Errorf("HEAD %s: no answer: %w; is it running there?", shown(b.url), withoutURL(err))
	}
	return response.Body.Close()
}
