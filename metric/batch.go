package metric

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/modelvigil/modelvigil/internal/strict"
)

// BatchVersion is the version of the batch's wire form that this code writes.
const BatchVersion = 2

// BatchVersions are the versions that this code reads, oldest first. A version is
// read for a release before any hub sends it, so that a worker that was rolled back
// by one release reads what hubs have learnt to send.
func BatchVersions() []int { return []int{1, 2} }

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
// by one when they are observed. The error names its faults, ten at most.
func DecodeBatch(payload []byte) (*Batch, error) {
	payload = bytes.TrimPrefix(payload, strict.ByteOrderMark)
	var batch Batch
	if !batch.scan(payload) {
		return nil, explainBatch(payload)
	}

	var faults strict.Faults
	batch.Version = cmp.Or(batch.Version, 1)
	if reads := BatchVersions(); !slices.Contains(reads, batch.Version) {
		faults.Add("version", fmt.Errorf("this worker reads version %s, got %d; upgrade the older of publisher and worker", versionsOf(reads), batch.Version))
	}
	faults.Add("model_name", CheckName(batch.ModelName, 1, MaxModelNameBytes))
	faults.Add("publisher", CheckName(batch.Publisher, 1, maxPublisherBytes))
	if batch.Sequence < 1 || batch.Sequence > MaxCount {
		faults.Add("sequence", fmt.Errorf("must be 1 to %d, got %d", int64(MaxCount), batch.Sequence))
	}
	if n := len(batch.Digests); n > MaxObservations {
		faults.Add("digests", fmt.Errorf("must be at most %d, got %d; send more batches", MaxObservations, n))
		return nil, faults.Err()
	}

	for i, digest := range batch.Digests {
		if digest == nil {
			faults.Add(fmt.Sprintf("digests[%d]", i), errors.New("must be an object, got null"))
		}
	}

	err := faults.Err()
	if err != nil {
		return nil, err
	}

	return &batch, nil
}

// versionsOf puts the versions that are read into words.
func versionsOf(versions []int) string {
	words := make([]string, len(versions))
	for i, version := range versions {
		words[i] = strconv.Itoa(version)
	}
	return strings.Join(words, " or ")
}
