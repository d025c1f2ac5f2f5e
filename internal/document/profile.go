package document

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/modelvigil/modelvigil/internal/strict"
	"github.com/modelvigil/modelvigil/metric/drift"
	"github.com/modelvigil/modelvigil/policy"
)

// maxProfileBytes bounds a file that is a profile.
const maxProfileBytes = 16 << 20

// embedProfiles puts the profiles that a policy's rules name, and that it has not, into
// it: they are files beside the policy's own.
func embedProfiles(document []byte, file string) ([]byte, error) {
	var wanted policy.Policy
	err := wanted.UnmarshalJSON(document)
	if err != nil || len(wanted.ProfilesNamed()) == 0 {
		return document, nil //nolint:nilerr // decoding names the faults of the policy
	}

	var faults strict.Faults
	before := len(wanted.Profiles)
	for i, name := range wanted.ProfilesNamed() {
		if wanted.Profiles[name] != nil {
			continue
		}
		profile, err := readProfile(file, name)
		if err != nil {
			faults.Add(fmt.Sprintf("profile %d", i+1), err)
			continue
		}
		wanted = wanted.WithProfile(name, profile)
	}

	err = faults.Err()
	if err != nil || len(wanted.Profiles) == before {
		return document, err
	}

	var fields map[string]json.RawMessage
	err = json.Unmarshal(document, &fields)
	if err != nil {
		return nil, err
	}
	fields["profiles"], err = json.Marshal(wanted.Profiles)
	if err != nil {
		return nil, err
	}
	return json.Marshal(fields)
}

// readProfile reads a profile that a policy names. Its file lies beside the policy's,
// or below: a policy may come from somebody who must not have other files of this
// machine read.
func readProfile(policyFile, name string) (*drift.Profile, error) {
	if !filepath.IsLocal(name) {
		return nil, fmt.Errorf("%s: must be a file beside the policy", Called(name))
	}
	folder := filepath.Dir(policyFile)
	path := filepath.Join(folder, name)
	err := isWithin(folder, path)
	if err != nil {
		return nil, fmt.Errorf("%w; make it by `modelvigil profile DATA.csv -o %s`", err, Called(path))
	}

	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(io.LimitReader(file, maxProfileBytes+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxProfileBytes {
		return nil, fmt.Errorf("%s: is larger than %d MiB", Called(path), maxProfileBytes>>20)
	}

	profile := new(drift.Profile)
	err = profile.UnmarshalJSON(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", Called(path), err)
	}
	return profile, nil
}
