package gateway

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheDocumentIsInDocsToo(t *testing.T) {
	copied, err := os.ReadFile("../docs/openapi.json")
	require.NoError(t, err)
	assert.Equal(t, string(document), string(copied), "cp gateway/openapi.json docs/openapi.json")
	assert.True(t, json.Valid(document))
}
