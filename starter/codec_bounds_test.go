package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/converter"
)

func TestTheCodecServerTakesNoMoreThanItCanBear(t *testing.T) {
	server := httptest.NewServer(codecHandler(converter.NewZlibCodec(converter.ZlibCodecOptions{}), nil))
	defer server.Close()
	for size, status := range map[int]int{100: http.StatusOK, maxCodecBytes + 1: http.StatusRequestEntityTooLarge} {
		body := `{"payloads":[{"metadata":{},"data":""}]}`
		body += strings.Repeat(" ", max(0, size-len(body)))
		response, err := http.Post(server.URL+"/decode", "application/json", bytes.NewReader([]byte(body)))
		require.NoError(t, err)
		_ = response.Body.Close()
		assert.Equal(t, status, response.StatusCode, size)
	}
}
