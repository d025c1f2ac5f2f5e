package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/modelvigil/modelvigil/backtest/certify"
	"github.com/modelvigil/modelvigil/internal/document"
	"github.com/modelvigil/modelvigil/internal/plain"
)

// certify puts certificates beside the policies that they are of. Each must be of one:
// what was certified before the policy was changed says nothing of it.
func (o *applyOptions) certify(documents []document.Document) error {
	if o.certificate == "" {
		return nil
	}
	data, err := os.ReadFile(o.certificate)
	if err != nil {
		return fmt.Errorf("--certificate: %w", err)
	}
	var file struct {
		certify.Certificate
		Certificates []*certify.Certificate `json:"certificates"` // of several policies
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return fmt.Errorf("--certificate %s: must be what `modelvigil certify -o json` writes: %w", plain.Text(o.certificate), err)
	}
	if file.Certificates == nil {
		file.Certificates = []*certify.Certificate{&file.Certificate}
	}

	for _, c := range file.Certificates {
		isOfNone := true
		for i := range documents {
			d := &documents[i]
			if d.Model == c.ModelName && d.Policy.Fingerprint() == c.Fingerprint {
				d.Policy.Certificate = c.Carried()
				isOfNone = false
			}
		}
		if isOfNone {
			return fmt.Errorf("--certificate %s: it is of %s for model %q, and no such policy is applied: what decides has changed since; certify it again",
				plain.Text(o.certificate), plain.Text(c.Policy), c.ModelName)
		}
	}

	return nil
}
