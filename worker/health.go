package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// askReadyTimeout is how long -ready waits for an answer.
const askReadyTimeout = 3 * time.Second

// askReady asks a running worker's /readyz. It lets a container without a shell
// check its own health.
func askReady(ctx context.Context, address string) error {
	url := "http://" + reachable(address) + "/readyz"
	ctx, cancel := context.WithTimeout(ctx, askReadyTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("ask %s: %w", url, err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("ask the worker: %w", err)
	}

	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		why, _ := io.ReadAll(io.LimitReader(response.Body, 4<<10))
		return fmt.Errorf("%s answers %s: %s", url, response.Status, why)
	}

	return nil
}

// reachable turns an address to listen on into one to connect to. It names no
// localhost, which an image without /etc/hosts can't look up.
func reachable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return address
}
