package contract_test

import (
	"fmt"

	"github.com/modelvigil/modelvigil/contract"
)

func ExampleWorkflowID() {
	id := contract.WorkflowID("fraud 100%")
	name, _ := contract.ModelName(id)
	fmt.Println(id, "watches", name)
	// Output: model-monitor/fraud%20100%25 watches fraud 100%
}
