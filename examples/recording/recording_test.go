package main

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheRecordingIsWhatItsProgramWrites(t *testing.T) {
	recorded, err := os.ReadFile("fraud.csv")
	require.NoError(t, err)
	var written bytes.Buffer
	write(&written)

	require.Equal(t, written.String(), string(recorded), "write it anew: go run ./recording > recording/fraud.csv")
}
