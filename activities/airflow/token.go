package airflow

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/modelvigil/modelvigil/modelops"
)

// loginPath is where auth managers exchange a user name and password for a token.
const loginPath = "/auth/token"

// credentials are a token that was set, or what tokens are got with.
type credentials struct {
	set                string
	username, password string
	// turn holds the token of the last login, for one caller at a time: many that
	// are refused at once log in once.
	turn chan string
}

func newCredentials(config Config) credentials {
	c := credentials{set: config.Token, username: config.Username, password: config.Password, turn: make(chan string, 1)}
	c.turn <- ""
	return c
}

func (c *credentials) canLogin() bool { return c.set == "" }

// token is one to send requests with, other than the one that was refused. isNew
// says that it comes from a login just now.
func (c *connection) token(ctx context.Context, refused string) (token string, isNew bool, err error) {
	if !c.credentials.canLogin() {
		return c.credentials.set, false, nil
	}

	select {
	case token = <-c.credentials.turn:
	case <-ctx.Done():
		return "", false, fmt.Errorf("log in: %w", context.Cause(ctx))
	}

	defer func() { c.credentials.turn <- token }()
	if token != "" && token != refused {
		return token, false, nil
	}

	token, err = c.login(ctx)
	return token, true, err
}

func (c *connection) login(ctx context.Context) (string, error) {
	response, err := c.send(ctx, http.MethodPost, loginPath, nil,
		map[string]string{"username": c.credentials.username, "password": c.credentials.password}, "application/json", "")
	status := statusOf(err)
	if refused := (*refusal)(nil); errors.As(err, &refused) {
		refused.status = 0 // it is no answer to what the token is for
	}
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return "", modelops.Final(fmt.Errorf("log in as %q: %w; correct the username and password in the backend's settings", c.credentials.username, err))
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return "", modelops.Final(fmt.Errorf("log in as %q: %w; this Airflow gives no tokens for a user name and password there: "+
			"correct the url in the backend's settings, or set a token", c.credentials.username, err))
	}

	if err != nil {
		return "", fmt.Errorf("log in as %q: %w", c.credentials.username, err)
	}

	defer func() { _ = response.Body.Close() }()
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if decode(response, "", &answer) != nil || answer.AccessToken == "" { // its text may hold a token
		return "", fmt.Errorf("log in as %q: POST %s: %d with an answer that holds no access_token", c.credentials.username, loginPath, response.StatusCode)
	}
	if strings.ContainsFunc(answer.AccessToken, isNoHeaderText) {
		return "", fmt.Errorf("log in as %q: %w", c.credentials.username, errors.New("got a token that no header takes"))
	}

	return answer.AccessToken, nil
}

func isNoHeaderText(r rune) bool { return r <= ' ' || r >= 0x7f }
