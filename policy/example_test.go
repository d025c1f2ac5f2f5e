package policy_test

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
)

// A policy with one threshold changed, as code and on the wire.
func ExamplePolicy_With() {
	strict := policy.Policy{}.With(policy.Below(metric.Accuracy, 0.95)).WithCooldown(30 * time.Minute)
	encoded, _ := json.Marshal(strict.Rules[0])
	fmt.Println(string(encoded), strict.Cooldown.Or(0))
	// Output: {"name":"accuracy","metric":"accuracy","below":0.95} 30m
}

// What is wrong with a policy is said at once, and where.
func ExampleDecode() {
	_, err := policy.Decode([]byte(`{"rules": [{"metric": "auc"}], "cooldwn": "1h"}`))
	fmt.Println(err)
	// Output:
	// cooldwn: unknown field; did you mean cooldown?
	// rules[0]: must have exactly one of below and above, or of below_baseline_by, above_baseline_by, change, drift, all_of, any_of, of, not, max_age, silent_for, new_readings and schedule, got none
}
