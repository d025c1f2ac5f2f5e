package object

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/modelops"
)

// The kubelet puts variables in the place of $(NAME) in a container's command, args
// and environment; a model could be called $(PASSWORD).
func TestTheKubeletExpandsNothingThatADecisionPutsIn(t *testing.T) {
	parsed, faults := parseTemplate(`
apiVersion: batch.example/v1
kind: Training
spec:
  title: of ${MODELVIGIL_MODEL_NAME}
  template:
    spec:
      initContainers: [{args: ["${MODELVIGIL_MODEL_NAME}"]}]
      containers:
        - args: ["--model=${MODELVIGIL_MODEL_NAME}", "--kept=$(OWN)"]
          env: [{name: WHY, value: "${MODELVIGIL_MODEL_NAME} $$"}]
`)
	require.Empty(t, faults)
	object, err := parsed.fill("x", "default", modelops.Request{ModelName: "$(PASSWORD) $$x"})
	require.NoError(t, err)
	spec := object.Object["spec"].(map[string]any)
	assert.Equal(t, "of $(PASSWORD) $$x", spec["title"], "which no kubelet reads")
	pod := spec["template"].(map[string]any)["spec"].(map[string]any)
	first := pod["containers"].([]any)[0].(map[string]any)
	assert.Equal(t, []any{"--model=$$(PASSWORD) $$$$x", "--kept=$(OWN)"}, first["args"], "what the template says itself stays")
	assert.Equal(t, "$$(PASSWORD) $$$$x $$", first["env"].([]any)[0].(map[string]any)["value"])
	assert.Equal(t, []any{"$$(PASSWORD) $$$$x"}, pod["initContainers"].([]any)[0].(map[string]any)["args"])
}
