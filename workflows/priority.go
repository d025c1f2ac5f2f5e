package workflows

import (
	"crypto/sha256"
	"encoding/hex"

	"go.temporal.io/sdk/temporal"
)

// maxFairnessKeyBytes is how long the server lets a fairness key be.
const maxFairnessKeyBytes = 64

// priorityOf is how a call of a team waits in its queue: by the policy's priority
// first, and among those of one priority in turn with the other teams, where the
// server knows fairness. One team's burst then does not starve another's under a rate.
// A server that does not know it passes the key over.
func priorityOf(team string, priority int) temporal.Priority {
	key := team
	if len(key) > maxFairnessKeyBytes {
		sum := sha256.Sum256([]byte(team))
		key = hex.EncodeToString(sum[:maxFairnessKeyBytes/2])
	}
	return temporal.Priority{PriorityKey: priority, FairnessKey: key}
}
