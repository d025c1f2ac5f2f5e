package hub_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/modelvigil/modelvigil/hub"
	"github.com/modelvigil/modelvigil/modelops"
)

func TestTheThreeKindsOfErrorAreToldApart(t *testing.T) {
	cause := errors.New("disk full")
	observer := fmt.Errorf("publish: %w", &hub.ObserverError{Observer: "audit", Err: cause})
	ops := fmt.Errorf("retrain: %w", &modelops.Error{Backend: "webhook", RequestID: "r", Err: cause})
	closed := fmt.Errorf("publish: %w", hub.ErrClosed)
	var asObserver *hub.ObserverError
	var asOps *modelops.Error
	assert.True(t, errors.As(observer, &asObserver) && !errors.As(observer, &asOps) && errors.Is(observer, cause))
	assert.True(t, errors.As(ops, &asOps) && !errors.As(ops, &asObserver) && errors.Is(ops, cause))
	assert.True(t, errors.Is(closed, hub.ErrClosed) && !errors.Is(observer, hub.ErrClosed))
}
