package scrape_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/gateway/scrape"
)

func TestAPasswordInTheAddressIsRefusedAndToldNobody(t *testing.T) {
	for _, address := range []string{"http://ada:hunter2@prometheus:9090", "ada:hunter2@prometheus:9090"} {
		file := filepath.Join(t.TempDir(), "scrape.yaml")
		require.NoError(t, os.WriteFile(file, []byte("prometheus: {address: '"+address+"'}\nqueries: [{query: up, metric: accuracy, model_name: fraud}]\n"), 0o600))

		_, err := scrape.ReadFile(file)

		require.ErrorContains(t, err, "prometheus.address: must ")
		assert.NotContains(t, err.Error(), "hunter2")
	}
}
