package modelops_test

import (
	"errors"
	"fmt"

	"github.com/modelvigil/modelvigil/modelops"
)

// What kind of error it was is found through whatever wraps it.
func ExampleError() {
	err := fmt.Errorf("retrain fraud: %w", &modelops.Error{
		Backend: "webhook", RequestID: "model-monitor/fraud/5b9a/1", Final: true, Err: errors.New("no such pipeline"),
	})
	var ops *modelops.Error
	fmt.Println(errors.As(err, &ops) && ops.Final)
	// Output: true
}
