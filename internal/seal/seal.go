// Package seal says what an encrypted payload is for. To encrypt is not to
// authenticate: whoever can write to the namespace, and has no key, can take what
// somebody else has sealed and send it again, elsewhere or as something else. So a
// payload is bound to its workflow, and an update's says within the seal which update
// it is, of which id, and when it was sealed. Whoever receives it holds it to that.
package seal

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	commonpb "go.temporal.io/api/common/v1"
)

// Metadata of payloads. What whoever decrypts has found out is put there, and taken
// away from every payload that claims it for itself.
const (
	// Workflow is the id that a payload is bound to, in the clear: it is part of what
	// the seal authenticates, and the codec server needs it to open the payload.
	Workflow = "modelvigil-workflow-id"
	// stamp is what an update's payload says of itself, within the seal.
	stamp = "modelvigil-stamp"
	// found is how a payload was sealed, as found by whoever decrypted it.
	found = "modelvigil-sealed"
)

// How a payload was found.
const (
	plainAllowed = ""        // in the clear, and there may be such
	plainRefused = "plain"   // in the clear, where all have to be encrypted
	unbound      = "unbound" // encrypted, for no workflow in particular
	bound        = "bound"   // and for the workflow of Workflow
)

const (
	// maxAge is how long after it was sealed an update may arrive, and maxAhead how
	// far the sender's clock may be ahead.
	maxAge   = time.Hour
	maxAhead = 10 * time.Minute
)

// Stamp is what an update's payload says of itself.
type Stamp struct {
	Update string    `json:"update"`
	ID     string    `json:"id"`
	Sealed time.Time `json:"sealed"`
}

// Put writes a stamp on a payload that is about to be encrypted.
func Put(payload *commonpb.Payload, s Stamp) {
	encoded, _ := json.Marshal(s) // it always can be
	set(payload, stamp, string(encoded))
}

// MarkPlain marks a payload that arrived in the clear.
func MarkPlain(payload *commonpb.Payload, isRefused bool) {
	delete(payload.GetMetadata(), found)
	delete(payload.GetMetadata(), stamp)
	if isRefused {
		set(payload, found, plainRefused)
	}
}

// MarkSealed marks a payload that was decrypted, bound to a workflow or, where that is
// empty, to none.
func MarkSealed(payload *commonpb.Payload, workflow string) {
	delete(payload.GetMetadata(), Workflow)
	set(payload, found, unbound)
	if workflow != "" {
		set(payload, found, bound)
		set(payload, Workflow, workflow)
	}
}

func set(payload *commonpb.Payload, name, value string) {
	if payload.Metadata == nil {
		payload.Metadata = map[string][]byte{}
	}
	payload.Metadata[name] = []byte(value)
}

// Received is an update that has arrived.
type Received struct {
	Workflow, Update, ID string
	Now                  time.Time
	// Since is from when on the ids of updates are remembered: one sealed before
	// could have been carried out and forgotten. Zero where all are remembered.
	Since time.Time
}

// IsSealed says that a payload was encrypted, as found by whoever decrypted it.
func IsSealed(payload *commonpb.Payload) bool {
	how := string(payload.GetMetadata()[found])
	return how == unbound || how == bound
}

// ErrPlain says why what came in the clear is not taken.
var ErrPlain = errors.New("came in the clear, and ENCRYPTION_REQUIRED is set: send it with `modelvigil` or a hub that has the keys")

var errLoose = errors.New("is sealed, but not for this update: send it with `modelvigil`; the Temporal UI and CLI can't say what they seal is for")

// Check says why an update must not be carried out, by its payload as it was found.
// Without an encryption nothing was found, and all may be.
func (r Received) Check(payload *commonpb.Payload) error {
	metadata := payload.GetMetadata()
	switch string(metadata[found]) {
	case plainAllowed:
		return nil
	case plainRefused:
		return ErrPlain
	case unbound:
		return errLoose
	}

	var s Stamp
	if json.Unmarshal(metadata[stamp], &s) != nil {
		return errLoose
	}

	switch {
	case string(metadata[Workflow]) != r.Workflow:
		return fmt.Errorf("was sealed for %.300q, not for this monitor", metadata[Workflow])
	case s.Update != r.Update:
		return fmt.Errorf("was sealed as %.60q, not as %s", s.Update, r.Update)
	case s.ID != r.ID:
		return errors.New("was sealed with another update id")
	case s.Sealed.After(r.Now.Add(maxAhead)):
		return fmt.Errorf("was sealed %v ahead of the clock; check the sender's", s.Sealed.Sub(r.Now).Round(time.Second))
	case s.Sealed.Before(r.Now.Add(-maxAge)):
		return fmt.Errorf("was sealed %v ago, which is too long; send it again", r.Now.Sub(s.Sealed).Round(time.Second))
	case s.Sealed.Before(r.Since):
		return errors.New("was sealed before the oldest update that is remembered, and may have been carried out already; send it again")
	}

	return nil
}
