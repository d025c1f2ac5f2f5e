// Package index holds the search attributes by which monitors are found, in the
// Temporal UI and wherever the visibility store is asked.
package index

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
)

// The search attributes of a monitor.
var (
	ModelName      = temporal.NewSearchAttributeKeyKeyword("ModelName")
	ModelVersion   = temporal.NewSearchAttributeKeyKeyword("ModelVersion") // heard of last; a change may take minutes to show
	MonitorPhase   = temporal.NewSearchAttributeKeyKeyword("MonitorPhase")
	LastDecision   = temporal.NewSearchAttributeKeyKeyword("LastDecision") // its kind; not of breaches suppressed, nor of warnings
	LastDecisionAt = temporal.NewSearchAttributeKeyTime("LastDecisionAt")
	Backend        = temporal.NewSearchAttributeKeyKeyword("Backend") // the policy's, or the one that took the last retraining
	Team           = temporal.NewSearchAttributeKeyKeyword("Team")
)

// Keys are all of them.
func Keys() []temporal.SearchAttributeKey {
	return []temporal.SearchAttributeKey{ModelName, ModelVersion, MonitorPhase, LastDecision, LastDecisionAt, Backend, Team}
}

// Missing returns those that a namespace does not have. One of another type is an
// error: it is somebody else's.
func Missing(ctx context.Context, c client.Client, namespace string) ([]temporal.SearchAttributeKey, error) {
	answer, err := c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		return nil, fmt.Errorf("list the search attributes of namespace %q: %w", namespace, err)
	}

	var missing []temporal.SearchAttributeKey
	var faults []error
	for _, key := range Keys() {
		switch kind := answer.GetCustomAttributes()[key.GetName()]; kind {
		case key.GetValueType():
		case enumspb.INDEXED_VALUE_TYPE_UNSPECIFIED:
			missing = append(missing, key)
		default:
			faults = append(faults, fmt.Errorf("search attribute %s of namespace %q must be of type %s, is %s; remove it, or use another namespace",
				key.GetName(), namespace, key.GetValueType(), kind))
		}
	}

	return missing, errors.Join(faults...)
}

// Ensure creates those that a namespace does not have, which needs the rights of
// an administrator, and returns their names.
func Ensure(ctx context.Context, c client.Client, namespace string) (created []string, err error) {
	missing, err := Missing(ctx, c, namespace)
	if err != nil || len(missing) == 0 {
		return nil, err
	}

	wanted := map[string]enumspb.IndexedValueType{}
	for _, key := range missing {
		wanted[key.GetName()] = key.GetValueType()
		created = append(created, key.GetName())
	}

	slices.Sort(created)
	_, err = c.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
		Namespace: namespace, SearchAttributes: wanted,
	})
	if err != nil {
		return nil, fmt.Errorf("create the search attributes %s in namespace %q: %w", strings.Join(created, ", "), namespace, err)
	}

	return created, nil
}
