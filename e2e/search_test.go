package e2e

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/patience"
)

// Whoever looks after a fleet finds monitors by what they do, without asking each.
func TestMonitorsAreFoundByWhatTheyDo(t *testing.T) {
	t.Parallel()
	const queue = "search"
	startWorker(t, queue)
	mustStarter(t, queue, "model_name: search-quiet\nteam: ads\n---\nmodel_name: search-asks\nteam: ads\napproval: {required: true}\n---\nmodel_name: search-other\nteam: maps\n", "apply", "-")
	for _, model := range []string{"search-quiet", "search-asks", "search-other"} {
		mustStarter(t, queue, "", "publish", "--model", model, "--version", "v1", "--accuracy", map[bool]string{true: "0.99", false: "0.5"}[model == "search-quiet"])
	}
	for query, wanted := range map[string][]string{
		"MonitorPhase = 'awaiting_approval' AND Team = 'ads'": {"search-asks"},
		"Team = 'ads'": {"search-asks", "search-quiet"},
		"LastDecision = 'accepted' AND LastDecisionAt > '" + time.Now().Add(-time.Hour).UTC().Format(time.RFC3339) + "' AND Backend = 'log' AND Team = 'maps'": {"search-other"},
		"ModelName STARTS_WITH 'search-q' AND MonitorPhase = 'watching'":                                                                                       {"search-quiet"},
		"ModelName = 'search-other' AND ModelVersion = 'v1' AND MonitorPhase = 'cooling_down'":                                                                 {"search-other"},
	} {
		patience.Until(t, "the monitors of "+query, func() bool { return slices.Equal(find(t, query), wanted) })
	}
	mustStarter(t, queue, "", "approve", "search-asks", "--by", "ada")
	patience.Until(t, "it no longer waits", func() bool { return len(find(t, "MonitorPhase = 'awaiting_approval' AND Team = 'ads'")) == 0 })
	assert.Contains(t, mustStarter(t, queue, "", "setup"), "all search attributes are there")
}

// Every query that the documentation names is one that the server takes.
func TestTheDocumentedQueriesAreTaken(t *testing.T) {
	t.Parallel()
	mustStarter(t, "search", "", "setup")
	document, err := os.ReadFile("../docs/operating.md")
	require.NoError(t, err)
	_, table, found := strings.Cut(string(document), "| who | query |")
	require.True(t, found)
	table, _, _ = strings.Cut(table, "\n\n")
	queries := regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(table, -1)
	require.Len(t, queries, 7)
	for _, query := range queries {
		_, err := server.Client().ListWorkflow(context.Background(), &workflowservice.ListWorkflowExecutionsRequest{
			Namespace: client.DefaultNamespace, Query: query[1],
		})
		assert.NoError(t, err, query[1])
	}
}

// find lists the models of the monitors that run and fit a query, by name.
func find(t *testing.T, query string) (models []string) {
	t.Helper()
	answer, err := server.Client().ListWorkflow(context.Background(), &workflowservice.ListWorkflowExecutionsRequest{
		Namespace: client.DefaultNamespace, Query: fmt.Sprintf("WorkflowType = '%s' AND ExecutionStatus = 'Running' AND %s", contract.WorkflowType, query),
	})
	if err != nil {
		t.Logf("%s: %v", query, err)
		return nil
	}
	for _, execution := range answer.GetExecutions() {
		model, err := contract.ModelName(execution.GetExecution().GetWorkflowId())
		assert.NoError(t, err)
		models = append(models, model)
	}
	slices.Sort(models)
	return models
}
