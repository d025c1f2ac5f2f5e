package docs_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	kindAndName = regexp.MustCompile(`(?m)^kind: (\w+)\nmetadata:\n  name: ([\w-]+)`)
	named       = regexp.MustCompile(`\bkubectl (?:-n \S+ )?(?:exec|logs|rollout \w+|scale|describe|port-forward) [^\x60\n]*?\b(deploy|deployment|svc|service)/([\w-]+)`)
	inside      = regexp.MustCompile(`\bkubectl exec [^\x60\n]*? -- (\S+)`)
	job         = regexp.MustCompile(`job="([\w-]+)"`)
)

// What is typed at 3 a.m. names what is there: the manifests' objects, and programs of
// an image that has no PATH to find them by.
func TestCommandsNameObjectsOfTheManifestsAndProgramsOfTheImage(t *testing.T) {
	objects := map[string]bool{}
	manifests, err := filepath.Glob("../deploy/kubernetes/*.yaml")
	require.NoError(t, err)
	for _, file := range manifests {
		for _, found := range kindAndName.FindAllStringSubmatch(read(t, file), -1) {
			objects[found[1]+"/"+found[2]] = true
		}
	}
	require.Contains(t, objects, "Deployment/modelvigil-worker")
	image := read(t, "../Dockerfile")

	texts, err := filepath.Glob("../starter/*.go")
	require.NoError(t, err)
	commands := 0
	for _, file := range append(append(documents(t), texts...), "../deploy/prometheus/alerts.yml") {
		text := read(t, file)
		for _, found := range named.FindAllStringSubmatch(text, -1) {
			kind := map[byte]string{'d': "Deployment", 's': "Service"}[found[1][0]]
			assert.True(t, objects[kind+"/"+found[2]], "%s: %s", file, found[0])
			commands++
		}
		for _, found := range inside.FindAllStringSubmatch(text, -1) {
			program := strings.Trim(found[1], "`,.")
			assert.True(t, strings.HasPrefix(program, "/"), "%s: %s must name the program's path in the image", file, found[0])
			assert.Contains(t, image, "/out"+program+" ", "%s: %s", file, found[0])
		}
	}
	assert.NotZero(t, commands, "the documents have some")
}

// An alert whose job nobody scrapes is on for ever, or never.
func TestAlertsNameJobsThatTheSampleConfigurationsMake(t *testing.T) {
	jobs := read(t, "../deploy/prometheus/prometheus.yml") + read(t, "../deploy/prometheus/kubernetes.yml")
	alerts := job.FindAllStringSubmatch(read(t, "../deploy/prometheus/alerts.yml"), -1)
	require.NotEmpty(t, alerts)

	for _, found := range alerts {
		assert.Equal(t, 2, strings.Count(jobs, "job_name: "+found[1]), "%s is made by both samples", found[1])
	}
	pods := read(t, "../deploy/kubernetes/worker.yaml") + read(t, "../deploy/kubernetes/gateway.yaml")
	for _, label := range regexp.MustCompile(`regex: (modelvigil-\w+);(\w+)`).FindAllStringSubmatch(read(t, "../deploy/prometheus/kubernetes.yml"), -1) {
		assert.Contains(t, pods, "app.kubernetes.io/name: "+label[1])
		assert.Contains(t, pods, "name: "+label[2]+", containerPort")
	}
}
