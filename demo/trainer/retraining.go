package trainer

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"

	"github.com/modelvigil/modelvigil/demo/learner"
)

const (
	// maxRunning bounds the jobs that wait for samples. A monitor has one retraining
	// in flight, so that more than a few are left over from restarts.
	maxRunning = 16
	// maxJobs bounds the jobs remembered, and with them the request ids that are
	// known again; the oldest ended ones are forgotten.
	maxJobs = 1_000
)

// States of a job, as the status_url of the wire contract has them.
const (
	running   = "running"
	succeeded = "succeeded"
	failed    = "failed"
)

// job is one retraining. Its mutable part is guarded by the Trainer's mu.
type job struct {
	id    string
	event retrainingEvent
	from  int           // the number of samples ever taken when the first fresh one comes
	until int           // the number from which on there are enough
	ready chan struct{} // closed when there are

	woken        bool // ready is closed
	state        string
	message      string
	modelVersion string
}

// accepted answers POST /retrainings, whether the request is new or known.
type accepted struct {
	JobID     string `json:"job_id"`
	StatusURL string `json:"status_url"`
}

// outcome answers GET /retrainings/{job}.
type outcome struct {
	State        string `json:"state"`
	Message      string `json:"message,omitempty"`
	ModelVersion string `json:"model_version,omitempty"`
}

// jobID is derived from the request id, so that the job of a service that was
// started again is never taken for another request's.
func jobID(requestID string) string {
	sum := sha256.Sum256([]byte(requestID))
	return "job-" + hex.EncodeToString(sum[:8])
}

// requestRetraining answers 202 to a new request and 409, with the same body, to
// one that is known.
func (t *Trainer) requestRetraining(w http.ResponseWriter, r *http.Request) {
	event, refusal := t.readRetrainingEvent(w, r)
	if refusal != nil {
		t.refuse(w, r, refusal)
		return
	}

	answer := accepted{JobID: jobID(event.ID)}
	answer.StatusURL = t.baseURL(r) + "/retrainings/" + answer.JobID
	known, refusal := t.start(answer.JobID, event)
	switch {
	case refusal != nil:
		t.refuse(w, r, refusal)
	case known:
		writeJSON(w, http.StatusConflict, answer)
	default:
		t.log.Info("retraining accepted", "job_id", answer.JobID, "request_id", event.ID, "model_name", event.Data.ModelName,
			"model_version", event.Data.ModelVersion, "reason", event.Data.Reason)
		writeJSON(w, http.StatusAccepted, answer)
	}
}

// start starts the job, unless it is known.
func (t *Trainer) start(id string, event retrainingEvent) (known bool, _ *refusal) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, known := t.jobs[id]; known {
		return true, nil
	}
	if t.closed {
		return false, &refusal{status: http.StatusServiceUnavailable, reason: "the trainer is closing"}
	}
	if t.unfitted >= maxRunning {
		return false, &refusal{status: http.StatusServiceUnavailable, reason: fmt.Sprintf("%d retrainings are under way", t.unfitted)}
	}

	from := t.samples.total + t.config.LateSamples
	started := &job{
		id:    id,
		event: event,
		from:  from,
		until: from + t.config.FreshSamples,
		ready: make(chan struct{}),
		state: running,
	}
	t.jobs[id] = started
	t.jobOrder = append(t.jobOrder, id)
	t.unfitted++
	t.forgetJobs()
	t.running.Go(func() { t.run(started) })
	return false, nil
}

// run waits for fresh samples and fits them.
func (t *Trainer) run(job *job) {
	select {
	case <-job.ready:
	case <-t.closing:
		t.end(job, nil, "the trainer was closed before enough fresh samples had come")
		return
	}

	t.mu.Lock()
	before := t.current
	fresh := t.samples.last(t.samples.total - job.from)
	t.mu.Unlock()

	model, err := t.fit(fresh)
	if err != nil {
		t.end(job, nil, err.Error())
		return
	}

	message := fmt.Sprintf("fitted on %d samples since the request, of which it gets %s right", len(fresh), percent(model.Accuracy(fresh)))
	if before != nil {
		message += fmt.Sprintf("; %s got %s", before.Version, percent(before.Accuracy(fresh)))
	}
	t.end(job, model, message)
}

func percent(share float64, err error) string {
	if err != nil {
		return fmt.Sprintf("an unknown share (%v)", err)
	}
	return fmt.Sprintf("%.1f%%", 100*share)
}

// end records what became of the job; no model means that it failed.
func (t *Trainer) end(job *job, model *learner.Model, message string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	job.message = message
	t.unfitted--
	if model == nil {
		job.state = failed
		t.log.Error("retraining failed", "job_id", job.id, "request_id", job.event.ID, "message", message)
		return
	}
	job.state = succeeded
	job.modelVersion = model.Version
	t.log.Info("retraining succeeded", "job_id", job.id, "request_id", job.event.ID, "model_version", model.Version, "message", message)
}

// wakeJobs lets the jobs go on that have enough samples. It is called with mu held.
func (t *Trainer) wakeJobs() {
	for _, job := range t.jobs {
		if job.state == running && !job.woken && t.samples.total >= job.until {
			job.woken = true
			close(job.ready)
		}
	}
}

// forgetJobs drops the oldest ended jobs past maxJobs. It is called with mu held.
func (t *Trainer) forgetJobs() {
	t.jobOrder = slices.DeleteFunc(t.jobOrder, func(id string) bool {
		if len(t.jobs) <= maxJobs || t.jobs[id].state == running {
			return false
		}
		delete(t.jobs, id)
		return true
	})
}

func (t *Trainer) showRetraining(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("job")
	t.mu.Lock()
	known, ok := t.jobs[id]
	var answer outcome
	if ok {
		answer = outcome{State: known.state, Message: known.message, ModelVersion: known.modelVersion}
		if known.state == running {
			answer.Message = fmt.Sprintf("%d of %d fresh samples have come", max(0, min(t.samples.total, known.until)-known.from), known.until-known.from)
		}
	}

	t.mu.Unlock()
	if !ok {
		writeJSON(w, http.StatusNotFound, fault{fmt.Sprintf("retraining job %q is not known here: it is of another process, or long ended", id)})
		return
	}

	writeJSON(w, http.StatusOK, answer)
}
