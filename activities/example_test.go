package activities_test

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/modelvigil/modelvigil/activities"
	"github.com/modelvigil/modelvigil/modelops"
)

// Nightly is a backend of one's own: it puts models on the list of tonight's
// training run. This one Go file is all there is to it, and its kind in
// activities/backends/kinds.go: a struct of its settings, and two lines that name it.
//
// Policies name it ({"retraining": {"backend": "nightly"}}), or MODELOPS_BACKEND
// makes it the default.
type Nightly struct {
	mu      sync.Mutex
	pending map[string]modelops.Request // by request id
	trained map[string]string           // request id to the new version
}

var (
	_ modelops.ModelOps = (*Nightly)(nil)
	_ modelops.Follower = (*Nightly)(nil) // may be left out: the job is then not followed
)

// ScheduleRetraining puts a model on the list. The same request again finds
// itself there: Temporal calls again whenever it can't know that a call arrived.
func (n *Nightly) ScheduleRetraining(_ context.Context, request modelops.Request) (modelops.Job, error) {
	if request.ModelName == "legacy" {
		return modelops.Job{}, modelops.Final(errors.New("legacy models are not trained any more")) // trying again can't help
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.pending == nil {
		n.pending = map[string]modelops.Request{}
	}
	n.pending[request.RequestID] = request
	return modelops.Job{ID: "nightly/" + request.RequestID, Followed: true}, nil
}

// RetrainingOutcome is asked every MODELOPS_POLL_INTERVAL until it has an answer.
func (n *Nightly) RetrainingOutcome(_ context.Context, request modelops.Request, _ modelops.Job) (modelops.Outcome, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	version, done := n.trained[request.RequestID]
	if !done {
		return modelops.Outcome{}, modelops.ErrRunning
	}
	return modelops.Outcome{State: modelops.Succeeded, ModelVersion: version}, nil
}

// Train is the nightly run.
func (n *Nightly) Train() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.trained = map[string]string{}
	for id, request := range n.pending {
		n.trained[id] = request.ModelVersion + "-retrained"
	}
	n.pending = nil
}

// A backend of one's own, called as a worker calls it.
func Example() {
	ctx := context.Background()
	nightly := &Nightly{}
	retraining := &activities.Retraining{
		Backends: map[string]modelops.ModelOps{"nightly": nightly},
		Default:  "nightly",
	}

	call := activities.Call{Request: modelops.Request{
		RequestID: "model-monitor/fraud/7c1e/1", ModelName: "fraud", ModelVersion: "v1",
		Reason: "accuracy 0.8000 below threshold 0.9000",
	}}
	var err error
	for range 2 { // a redelivery starts no second job
		if call.Job, err = retraining.ScheduleRetraining(ctx, call); err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Println(call.Job.Backend, "took it as", call.Job.ID, "and has", len(nightly.pending), "on its list")

	_, err = retraining.AwaitRetraining(ctx, call)
	fmt.Println("by day:", err)
	nightly.Train()
	outcome, err := retraining.AwaitRetraining(ctx, call)
	fmt.Println("next morning:", outcome.State, outcome.ModelVersion, err)

	_, err = retraining.ScheduleRetraining(ctx, activities.Call{Request: modelops.Request{RequestID: "model-monitor/legacy/9d20/1", ModelName: "legacy"}})
	fmt.Println(err)
	// Output:
	// nightly took it as nightly/model-monitor/fraud/7c1e/1 and has 1 on its list
	// by day: backend "nightly", retraining model-monitor/fraud/7c1e/1: retraining is under way (type: ModelOpsRunning, retryable: true)
	// next morning: succeeded v1-retrained <nil>
	// backend "nightly", retraining model-monitor/legacy/9d20/1: legacy models are not trained any more (type: ModelOpsPermanent, retryable: false)
}
