package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func TestAPollerOlderThanAMinuteIsNoWorker(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	poller := func(who string, ago time.Duration) *taskqueuepb.PollerInfo {
		return &taskqueuepb.PollerInfo{Identity: who, LastAccessTime: timestamppb.New(now.Add(-ago))}
	}

	assert.Equal(t, map[string]bool{"idle": true, "busy": true}, livingWorkers([]*taskqueuepb.PollerInfo{
		poller("idle", 59*time.Second), poller("busy", 0), poller("busy", 4*time.Minute), poller("killed", 61*time.Second),
	}, now))
	assert.Empty(t, livingWorkers(nil, now))
}
