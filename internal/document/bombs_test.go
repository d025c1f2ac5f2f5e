package document_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/modelvigil/modelvigil/internal/document"
)

// A folder of policies may come from anybody who may propose one.
func TestAPolicyThatIsABombIsRefused(t *testing.T) {
	var aliases strings.Builder
	aliases.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x]\n")
	for i := range 30 {
		aliases.WriteString("a" + string(rune('1'+i)) + ": &a" + string(rune('1'+i)) + " [" + strings.TrimSuffix(strings.Repeat("*a"+string(rune('0'+i))+", ", 9), ", ") + "]\n")
	}
	for name, text := range map[string]string{
		"aliases of aliases": aliases.String(),
		"200,000 levels":     "rules: " + strings.Repeat("[", 200_000),
		"as many in JSON":    `{"rules": ` + strings.Repeat("[", 200_000),
	} {
		path := filepath.Join(t.TempDir(), "policy.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := document.Read([]string{path}, nil)
		assert.Error(t, err, name)
	}
	_, err := document.Read([]string{"/dev/zero"}, nil)
	assert.ErrorContains(t, err, "is larger than 64 MiB")
}
