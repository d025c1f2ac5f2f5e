package near_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/modelvigil/modelvigil/internal/near"
)

func TestNearNamesAreThoseThatSomebodyMayHaveMeant(t *testing.T) {
	names := []string{"accuracy", "latency_ms", "auc", "f1", "f2", "drift_score", "Amount"}
	for name, want := range map[string][]string{
		"acuracy": {"accuracy"}, "latencyMs": {"latency_ms"}, "LATENCY-MS": {"latency_ms"}, "amount": {"Amount"}, "AUC": {"auc"},
		"drfit_score": {"drift_score"}, "precision": nil, "accuracy": nil, "f3": {"f1", "f2"},
	} {
		assert.Equal(t, want, near.Names(name, names), name)
	}
}

func TestAHintAsksForWhatIsNearAndIsSilentOtherwise(t *testing.T) {
	assert.Equal(t, "; did you mean f1 or f2?", near.Hint("f3", []string{"f1", "f2", "auc"}))
	assert.Empty(t, near.Hint("precision", []string{"f1", "f2", "auc"}))
}

func TestWhatNoEventMeasuresIsNamedBesideWhatMayHaveBeenMeant(t *testing.T) {
	assert.Equal(t, `no event measures "AUC"; did you mean auc?`, near.Unmeasured("AUC", []string{"auc", "f1"}))
	assert.Equal(t, `no event measures "recall"; there are auc, f1`, near.Unmeasured("recall", []string{"auc", "f1"}))
	assert.Equal(t, `no event measures "recall"; there are a, b, c, d, e, f, g, h, i, j and 2 more`, near.Unmeasured("recall", strings.Split("abcdefghijkl", "")))
	assert.Equal(t, `no event measures "recall"`, near.Unmeasured("recall", nil))
	assert.NotContains(t, near.Unmeasured("re\ncall", []string{"x\ny"}), "\n")
}
