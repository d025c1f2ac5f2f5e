// Command schema writes the JSON Schema of a policy document, which editors
// complete and check by:
//
//	go run . > ../../../docs/policy.schema.json
//
// It runs in its own folder, since it reads the comments of ../../../policy.
package main

import (
	"encoding/json"
	"fmt"
	"os"
)

func main() {
	encoded, err := generate()
	if err == nil {
		_, err = os.Stdout.Write(encoded)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "schema:", err)
		os.Exit(1)
	}
}

// generate returns the schema as the file has it.
func generate() ([]byte, error) {
	schema, err := document()
	if err != nil {
		return nil, err
	}
	encoded, err := json.MarshalIndent(schema, "", "  ")
	return append(encoded, '\n'), err
}
