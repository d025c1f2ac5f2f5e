package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/modelops"
)

// Do makes a call, and marks its error with whether asking again can help. A
// refusal is believed only of an API server that is ready, and that refuses twice.
// The call must be one that can be made twice.
func (c *Cluster) Do(ctx context.Context, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := call(ctx)
	if isRefusal(err) {
		if !c.isReady(ctx, err) {
			return fmt.Errorf("%w (but the API server doesn't say that it is ready)", err)
		}
		err = call(ctx)
	}
	return c.classify(err)
}

// RBAC is the file that has all rights that the backends need.
const RBAC = "deploy/kubernetes/rbac.yaml"

// classify marks an API server's error with whether asking again can help, and
// says what to do where it can't. Whatever is not known to be final is tried again.
func (c *Cluster) classify(err error) error {
	var less *asksForLess
	switch {
	case err == nil:
		return nil
	case errors.As(err, &less):
		return modelops.RetryAfter(less.pause, less)
	case isQuota(err):
		return modelops.Throttled(fmt.Errorf("%w; it is asked for again until there is room", err))
	case apierrors.HasStatusCause(err, "NamespaceTerminating"):
		return modelops.Final(fmt.Errorf("%w; create it anew, or correct the namespace in the backend's settings", err))
	case apierrors.IsForbidden(err) && strings.Contains(err.Error(), " cannot "): // RBAC's words; a policy that refuses an object has others
		return modelops.Final(fmt.Errorf("%w; grant it: %s has all that is needed", err, RBAC))
	case apierrors.IsUnauthorized(err):
		return modelops.Final(fmt.Errorf("%w: the API server doesn't take the credentials; correct the kubeconfig, or give the worker's pod its service account's token", err))
	case isMissingNamespace(err):
		return modelops.Final(fmt.Errorf("%w; create the namespace, or correct it in the backend's settings", err))
	case apierrors.IsForbidden(err), apierrors.IsInvalid(err), apierrors.IsBadRequest(err), apierrors.IsNotFound(err),
		apierrors.IsMethodNotSupported(err), apierrors.IsRequestEntityTooLargeError(err):
		return modelops.Final(err)
	}

	if seconds, asked := apierrors.SuggestsClientDelay(err); asked && seconds > 0 {
		return modelops.RetryAfter(time.Duration(seconds)*time.Second, err)
	}
	if apierrors.IsTooManyRequests(err) {
		return modelops.Throttled(err)
	}

	return err
}

func isRefusal(err error) bool {
	return apierrors.IsUnauthorized(err) || apierrors.IsForbidden(err) && !isQuota(err)
}

// isQuota says whether a namespace's quota is used up, or is not counted yet.
func isQuota(err error) bool {
	return apierrors.IsForbidden(err) &&
		(strings.Contains(err.Error(), "exceeded quota") || strings.Contains(err.Error(), "status unknown for quota"))
}

func isMissingNamespace(err error) bool {
	var status apierrors.APIStatus
	return apierrors.IsNotFound(err) && errors.As(err, &status) &&
		status.Status().Details != nil && status.Status().Details.Kind == "namespaces"
}

// asksForLess is an API server's answer that says when to ask again.
type asksForLess struct {
	code  int
	pause time.Duration
	text  string
}

func (e *asksForLess) Error() string {
	return fmt.Sprintf("the API server asks for less: %d %s: %s", e.code, http.StatusText(e.code), e.text)
}

// impatient is a transport that makes an error of an answer that says when to ask
// again. The client would wait by itself, up to ten times, and the activity with it.
type impatient struct{ next http.RoundTripper }

const maxAnswerBytes = 4096 // of an answer that is shown in an error

func (t impatient) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := t.next.RoundTrip(request)
	if err != nil || response.StatusCode != http.StatusTooManyRequests && response.StatusCode < http.StatusInternalServerError {
		return response, err
	}

	seconds, err := strconv.ParseUint(response.Header.Get("Retry-After"), 10, 16)
	if err != nil || seconds == 0 { // not said
		return response, nil //nolint:nilerror // the answer is the client's to read
	}
	text, _ := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes))
	_ = response.Body.Close()
	return nil, &asksForLess{response.StatusCode, time.Duration(seconds) * time.Second, messageOf(text)}
}

// messageOf is the message of an API server's answer, or the answer itself.
func messageOf(text []byte) string {
	var status metav1.Status
	if err := json.Unmarshal(text, &status); err == nil && status.Message != "" {
		return plain.Excerpt(status.Message, MaxMessageBytes)
	}
	return plain.Excerpt(string(text), MaxMessageBytes)
}
