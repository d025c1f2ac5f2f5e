package airflowtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// API is an API server. A Server may have more than the one it starts with.
type API struct {
	server   *Server
	address  string
	process  *process
	Password string // the administrator's
	token    string
}

// NewAPI returns one more API server over the same database, with further
// settings, such as "AIRFLOW__API_AUTH__JWT_EXPIRATION_TIME=2". Start starts it.
func (s *Server) NewAPI() (*API, error) {
	address, err := freeAddress()
	return &API{server: s, address: address, Password: s.Password}, err
}

// URL is where it answers.
func (a *API) URL() string { return "http://" + a.address }

// Username is the administrator's.
func (a *API) Username() string { return username }

// Start starts it, also again, and waits until it answers.
func (a *API) Start(ctx context.Context, environment ...string) error {
	host, port, err := net.SplitHostPort(a.address)
	if err != nil {
		return err
	}

	a.token = ""
	// An API server writes its action log from its event loop, and waits there for a
	// request whose end needs the event loop: with SQLite such a wait is always in vain.
	environment = append([]string{"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=" + a.server.databaseURL(time.Second)}, environment...)
	a.process, err = startProcess(a.server, "api-server-"+port, environment, "api-server", "--host", host, "--port", port, "--workers", "1")
	if err != nil {
		return err
	}

	return a.server.await(ctx, "the API server answers", func() error {
		_, err := a.Call(ctx, http.MethodGet, "/api/v2/version", nil, nil)
		return err
	})
}

// Stop ends it as a crash would.
func (a *API) Stop() {
	if a.process != nil {
		a.process.stop()
	}
}

// callTimeout of one call that a test makes itself.
const callTimeout = 30 * time.Second

// retryPause is between the tries of a call that found the database locked.
const retryPause = 200 * time.Millisecond

// Call sends one request as the administrator, again while Airflow fails to serve it,
// as it does when SQLite is busy. It decodes an answer of success.
func (a *API) Call(ctx context.Context, method, path string, body, into any) (status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if a.token == "" {
		var answer struct {
			AccessToken string `json:"access_token"`
		}
		login := map[string]string{"username": username, "password": a.Password}
		if status, err := a.exchange(ctx, http.MethodPost, "/auth/token", login, &answer); err != nil {
			return status, err
		}
		a.token = answer.AccessToken
	}

	for {
		status, err := a.exchange(ctx, method, path, body, into)
		if status != http.StatusInternalServerError {
			return status, err
		}

		select {
		case <-ctx.Done():
			return status, err
		case <-time.After(retryPause):
		}
	}
}

func (a *API) exchange(ctx context.Context, method, path string, body, into any) (int, error) {
	encoded, err := json.Marshal(body)
	if err != nil {
		return 0, err
	}
	request, err := http.NewRequestWithContext(ctx, method, a.URL()+path, bytes.NewReader(encoded))
	if err != nil {
		return 0, err
	}

	request.Header.Set("Content-Type", "application/json")
	if a.token != "" {
		request.Header.Set("Authorization", "Bearer "+a.token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}

	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return response.StatusCode, err
	case response.StatusCode >= 300:
		return response.StatusCode, fmt.Errorf("%s %s: %s: %s", method, path, response.Status, strings.TrimSpace(string(text)))
	case into == nil || len(text) == 0:
		return response.StatusCode, nil
	}

	return response.StatusCode, json.Unmarshal(text, into)
}
