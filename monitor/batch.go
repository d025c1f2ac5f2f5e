package monitor

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// BatchVersion is the version of the batch's wire form that this code writes.
const BatchVersion = 1

// BatchVersions are the versions that this code reads, oldest first. A version is
// read for a release before any hub sends it, so that a worker that was rolled back
// by one release reads what hubs have learnt to send.
func BatchVersions() []int { return []int{1} }

const maxPublisherBytes = 64

// Batch is the payload of a `metric-digest` signal: what one publisher has to
// say of one model since its last batch. Publisher and Sequence identify it, so
// that a redelivery is told from news.
type Batch struct {
	Version   int       `json:"version"`    // one of BatchVersions; 0, and none, means 1
	ModelName string    `json:"model_name"` // as the workflow's
	Publisher string    `json:"publisher"`  // random per hub, 1 to 64 bytes
	Sequence  int64     `json:"sequence"`   // from 1, higher with every batch of this publisher and model
	Closed    bool      `json:"closed,omitempty"`
	Digests   []*Digest `json:"digests"`
}

// DecodeBatch reads a batch and checks its envelope; its digests are judged one
// by one when they are observed.
func DecodeBatch(payload []byte) (*Batch, error) {
	var batch Batch
	if err := json.Unmarshal(payload, &batch); err != nil {
		return nil, got(err, payload)
	}
	var faults []error
	batch.Version = cmp.Or(batch.Version, 1)
	if reads := BatchVersions(); !slices.Contains(reads, batch.Version) {
		faults = append(faults, fmt.Errorf("version: this worker reads version %s, got %d; upgrade the older of publisher and worker", versionsOf(reads), batch.Version))
	}
	faults = append(faults,
		at("model_name", checkName(batch.ModelName, 1, MaxModelNameBytes)),
		at("publisher", checkName(batch.Publisher, 1, maxPublisherBytes)))
	if batch.Sequence < 1 || batch.Sequence > maxCount {
		faults = append(faults, fmt.Errorf("sequence: must be 1 to %d, got %d", int64(maxCount), batch.Sequence))
	}
	if n := len(batch.Digests); n > maxObservations {
		return nil, errors.Join(append(faults, fmt.Errorf("digests: must be at most %d, got %d; send more batches", maxObservations, n))...)
	}
	for i, digest := range batch.Digests {
		if digest == nil {
			faults = append(faults, at(fmt.Sprintf("digests[%d]", i), errors.New("must be an object, got null")))
		}
	}
	return &batch, errors.Join(faults...)
}

// versionsOf puts the versions that are read into words.
func versionsOf(versions []int) string {
	words := make([]string, len(versions))
	for i, version := range versions {
		words[i] = strconv.Itoa(version)
	}
	return strings.Join(words, " or ")
}
