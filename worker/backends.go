package main

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/modelvigil/modelvigil/activities"
	"github.com/modelvigil/modelvigil/activities/logging"
	"github.com/modelvigil/modelvigil/activities/webhook"
)

// newBackends makes the backends of this worker, by the names that policies and
// MODELOPS_BACKEND use. It is the one place that knows them.
//
// To add one of your own, implement activities.ModelOps in one Go file (the
// example of package activities is a whole one) and register it here:
//
//	backends["spark"] = &spark.Backend{Cluster: os.Getenv("SPARK_MASTER")}
func newBackends(s settings, logger *slog.Logger) (map[string]activities.ModelOps, error) {
	backends := map[string]activities.ModelOps{
		"log": logging.Backend{Logger: logger},
	}
	var faults []error
	if s.WebhookURL != "" || s.WebhookSecret != "" || s.Backend == "webhook" {
		backend, err := webhook.New(webhook.Config{URL: s.WebhookURL, Secret: s.WebhookSecret, Logger: logger})
		faults = append(faults, variablesOf("MODELOPS_WEBHOOK_", err)...)
		backends["webhook"] = backend
	}
	if _, known := backends[s.Backend]; !known {
		names := slices.Sorted(maps.Keys(backends))
		if !slices.Contains(names, "webhook") {
			names = append(names, "webhook")
		}
		faults = append(faults, fmt.Errorf("MODELOPS_BACKEND: %q is no backend of this worker; it has %s", s.Backend, strings.Join(names, ", ")))
	}
	return backends, errors.Join(faults...)
}

// variablesOf turns the faults of a backend's configuration, which begin with a
// field, into faults of the variables that the fields are set by.
func variablesOf(prefix string, err error) []error {
	if err == nil {
		return nil
	}
	var faults []error
	for _, fault := range each(err) {
		field, what, _ := strings.Cut(fault.Error(), ": ")
		faults = append(faults, fmt.Errorf("%s%s: %s", prefix, strings.ToUpper(field), strings.ReplaceAll(what, "\n", "; ")))
	}
	return faults
}

// each is what errors.Join has joined.
func each(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}
