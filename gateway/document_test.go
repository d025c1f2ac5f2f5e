package gateway

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
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

// The table of answers, the sample beside it and the OpenAPI document tell a client the same.
func TestWhatIsWrittenOfAnswersAgrees(t *testing.T) {
	page, err := os.ReadFile("../docs/gateway.md")
	require.NoError(t, err)
	var statuses, refusals, again []int
	for _, row := range regexp.MustCompile(`(?m)^\| ([0-9, ]+) \|[^|]*\| ([^|]*) \| ([^|]*) \|$`).FindAllStringSubmatch(string(page), -1) {
		for text := range strings.SplitSeq(row[1], ", ") {
			status, err := strconv.Atoi(text)
			require.NoError(t, err)
			statuses = append(statuses, status)
			assert.Equal(t, isRefusal(status), row[2] == "nothing", "what %d has accepted", status)
			if row[2] == "nothing" {
				refusals = append(refusals, status)
			}
			if strings.HasPrefix(row[3], "yes") {
				again = append(again, status)
			}
		}
	}

	assert.ElementsMatch(t, answersOf(t), statuses)
	slices.Sort(again)
	assert.Contains(t, string(page), "if refused.code in ("+strings.Trim(strings.ReplaceAll(fmt.Sprint(again), " ", ", "), "[]")+"):")
	slices.Sort(refusals)
	listed := strings.Trim(strings.ReplaceAll(fmt.Sprint(refusals[:len(refusals)-1]), " ", ", "), "[]")
	assert.Contains(t, string(openAPI(t)), fmt.Sprintf("an answer of %s or %d has accepted nothing", listed, refusals[len(refusals)-1]))
}
