package monitor_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/modelvigil/modelvigil/policy"
)

func TestTheDocumentsTableOfWhatFitsIntoAPolicy(t *testing.T) {
	checked := 0
	for _, row := range docTable(t, "Limits") {
		rule := strings.Trim(row[0], "`")
		if !strings.HasPrefix(rule, "{") {
			continue
		}
		checked++
		t.Run(rule, func(t *testing.T) {
			fields, err := yaml.YAMLToJSONStrict([]byte(rule))
			require.NoError(t, err)
			fit := 0
			for ; ; fit++ {
				var rules []json.RawMessage
				for i := range fit + 1 {
					rules = append(rules, json.RawMessage(fmt.Sprintf(`{"name": "rule %d", %s`, i, fields[1:])))
				}
				wire, err := json.Marshal(map[string]any{"rules": rules})
				require.NoError(t, err)
				if _, err := policy.Decode(wire); err != nil {
					break
				}
			}
			assert.Equal(t, row[1], strconv.Itoa(fit))
		})
	}
	require.Greater(t, checked, 5)
}

// After so many datapoints of 0.2 come those a step higher.
func TestTheDocumentsTableOfStepsThatADWINDetects(t *testing.T) {
	checked := 0
	for _, row := range docTable(t, "Change detection") {
		step, err := strconv.ParseFloat(row[0], 64)
		require.NoError(t, err)
		for column, before := range []int{100, 1000} {
			checked++
			t.Run(fmt.Sprintf("%v after %d", step, before), func(t *testing.T) {
				m := newMachine(policyOf(t, `{"rules": [
					{"name": "shift", "metric": "x", "stat": "mean", "period": "1s", "grace": "0s", "change": {}}]}`))
				for i := range before + 500 {
					at := noon.Add(time.Duration(i) * time.Second)
					tickUntil(m, at)
					if m.Status(at).Breaches > 0 {
						assert.Equal(t, row[1+column], strconv.Itoa(i-before))
						return
					}
					value := 0.2
					if i >= before {
						value += step
					}
					m.Observe(at, reading(at, "v1", "x", value))
				}
				assert.Fail(t, "nothing was detected")
			})
		}
	}
	require.Equal(t, 10, checked)
}

// However large the change, and wherever it is.
func TestTheDocumentsLeastDatapointsOfADetection(t *testing.T) {
	for delta, least := range map[string]int{"0.002": 25, "0.999": 12} {
		found := 1000
		for before := 1; before < 40; before++ {
			m := newMachine(policyOf(t, `{"rules": [
				{"name": "shift", "metric": "x", "stat": "mean", "period": "1s", "grace": "0s", "change": {"delta": `+delta+`}}]}`))
			for i := range 60 {
				at := noon.Add(time.Duration(i) * time.Second)
				tickUntil(m, at)
				if m.Status(at).Breaches > 0 {
					found = min(found, i)
					break
				}
				value := 0.0
				if i >= before {
					value = 1e9
				}
				m.Observe(at, reading(at, "v1", "x", value))
			}
		}
		assert.Equal(t, least, found)
		assert.Contains(t, readPoliciesDoc(t), strconv.Itoa(least))
	}
}
