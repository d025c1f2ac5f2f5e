package temporal

import (
	"errors"
	"fmt"

	"go.temporal.io/api/serviceerror"
	"google.golang.org/grpc/codes"

	"github.com/modelvigil/modelvigil/modelops"
)

// classify marks a server's error with whether asking again can help, and says
// what to do where it can't. Whatever is not known to be final is tried again.
func classify(err error) error {
	if err == nil {
		return nil
	}
	var noNamespace *serviceerror.NamespaceNotFound
	if errors.As(err, &noNamespace) {
		return modelops.Final(fmt.Errorf("%w; create the namespace, or correct it in the backend's settings", err))
	}

	switch serviceerror.ToStatus(err).Code() {
	case codes.ResourceExhausted:
		return modelops.Throttled(err)
	case codes.Unauthenticated, codes.PermissionDenied:
		return modelops.Final(fmt.Errorf("%w; correct the API key or certificate in the backend's settings, or what it is allowed there", err))
	case codes.InvalidArgument, codes.NotFound:
		return modelops.Final(err)
	}

	return err
}
