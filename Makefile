SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

MODULE   := github.com/modelvigil/modelvigil
PINNED   := go tool -modfile=$(CURDIR)/tools/lint/go.mod
GOTEST   := $(PINNED) gotestsum --format=pkgname-and-test-fails --hide-summary=skipped -- -timeout=2h
# The Temporal server that tests run against: cli, the official CLI's, or newest, the
# newest that can be had as a module. test-long is for that one, soak for both.
SERVER   ?= cli
TEMPORAL  = $(CURDIR)/tools/$(if $(filter newest,$(SERVER)),devserver/build.sh,temporal.sh)

# RACE= runs the tests without the race detector, which needs a C compiler.
RACE ?= -race
# What decides starts no goroutine: there the race detector only makes tests slower, and waits for test-long.
PURE       := ./metric/... ./policy/... ./modelops/... ./contract/... ./monitor/...
CONCURRENT := go list ./... | grep -vxFf <(go list $(PURE) ./e2e/...)
# Tests of built programs, which the test cache does not know, and which wait more than they compute.
PROGRAMS   := -count=1 -parallel=4
# The modules beside the main one, whose dependencies stay out of it.
MODULES := e2e/chaos tools/release tools/shipped examples
# Of make chaos: the schedule of faults, and how long they last.
SEED ?= 1
MINUTES ?= 3
# How long each target is fuzzed.
FUZZTIME ?= 10m
# Where programs are built to.
BIN ?= bin
# ARGS are handed on: make demo ARGS=--keep
ARGS ?=

.PHONY: help
help: ## what can be made
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: build ## watch a model drift, be caught, be retrained and recover, on a real Temporal server
	@temporal=$$($(TEMPORAL)); MODELVIGIL_TEMPORAL="$$temporal" exec bin/modelvigil demo $(ARGS)

.PHONY: build
build: ## bin/modelvigil and bin/modelvigil-worker
	go build -trimpath -o $(BIN)/modelvigil ./starter
	go build -trimpath -o $(BIN)/modelvigil-worker ./worker

.PHONY: test
test: ## in minutes, on however slow and busy a machine: unit and workflow tests, and a journey for each promise
	@$(TEMPORAL) >/dev/null
	$(GOTEST) $(PURE)
	MODELVIGIL_TEMPORAL=$$($(TEMPORAL)) $(GOTEST) $(RACE) $$($(CONCURRENT))
	MODELVIGIL_TEMPORAL=$$($(TEMPORAL)) $(GOTEST) $(PROGRAMS) ./e2e/...

.PHONY: test-long
test-long: SERVER = newest
test-long: ## in at most 40 minutes, before a merge: floods, storms, an upgrade, chaos, poison, a million steps, the other modules
	@$(TEMPORAL) >/dev/null
	MODELVIGIL_LONG=yes MONITOR_STEPS=1000000 MODELVIGIL_TEMPORAL=$$($(TEMPORAL)) $(GOTEST) $(PURE) $$($(CONCURRENT))
	$(GOTEST) $(RACE) -short $(PURE)
	MODELVIGIL_LONG=yes MODELVIGIL_TEMPORAL=$$($(TEMPORAL)) $(GOTEST) $(PROGRAMS) ./e2e/...
	MODELVIGIL_LONG=yes $(MAKE) test-modules SERVER=$(SERVER)

.PHONY: test-modules
test-modules: ## the modules beside the main one: what is released and shipped, the examples, chaos's own tests
	@$(TEMPORAL) >/dev/null
	for module in $(MODULES); do (cd $$module && MODELVIGIL_TEMPORAL=$$($(TEMPORAL)) $(GOTEST) $(PROGRAMS) ./...); done

.PHONY: soak soak-machine soak-programs soak-chaos soak-fuzz
soak: ## in a night, before a release: ten million steps, an hour of everything, chaos of 50 seeds, each fuzz target for ten minutes
	$(MAKE) --keep-going soak-machine soak-programs soak-chaos soak-fuzz SERVER=newest
	$(MAKE) soak-programs SERVER=cli

soak-machine:
	MONITOR_STEPS=10000000 $(GOTEST) -count=1 -timeout=14h $(PURE)
	MODELVIGIL_LONG=yes CERTIFY_RECORDINGS=200 $(GOTEST) -count=1 -timeout=14h ./backtest/certify

soak-programs:
	@$(TEMPORAL) >/dev/null
	MODELVIGIL_LONG=yes SOAK=1h FLOOD=10m FLOOD_RATE=100 POISON=100000 STORM_MODELS=1000 MODELVIGIL_OUTAGE=5m \
	  MODELVIGIL_TEMPORAL=$$($(TEMPORAL)) $(GOTEST) $(PROGRAMS) -timeout=14h ./e2e

soak-chaos:
	$(MAKE) chaos ARGS='-seeds 50 -quiet'

soak-fuzz:
	tools/fuzz.sh $(FUZZTIME)

.PHONY: chaos
chaos: build ## kill, freeze and cut off everything under load, and check that nothing is lost: make chaos SEED=7 MINUTES=3 ARGS='-seeds 5'
	@$(TEMPORAL) >/dev/null
	cd e2e/chaos && go build -trimpath -o ../../bin/ .
	MODELVIGIL_TEMPORAL=$$($(TEMPORAL)) bin/chaos -seed $(SEED) -minutes $(MINUTES) $(ARGS)

.PHONY: e2e-webhook
e2e-webhook: ## the webhook backend against a trainer in Python; installs standardwebhooks
	@venv="$${XDG_CACHE_HOME:-$$HOME/.cache}/modelvigil/standardwebhooks-1.1.0"; \
	[[ -d $$venv ]] || { python3 -m venv "$$venv.new" && "$$venv.new/bin/pip" install -q --require-hashes -r tools/standardwebhooks/requirements.txt && mv "$$venv.new" "$$venv"; }; \
	MODELVIGIL_PYTHON="$$venv/bin/python" $(GOTEST) -count=1 -run Python ./activities/webhook

.PHONY: compare
compare: build ## backtests beside pandas, river and polars, installed once (500 MB): ARGS='--policies 100'
	@venv="$${XDG_CACHE_HOME:-$$HOME/.cache}/modelvigil/compare-$$(sha256sum < examples/compare/requirements.txt | cut -c1-12)"; \
	[[ -d $$venv ]] || { python3 -m venv "$$venv.new" && "$$venv.new/bin/pip" install -q --no-deps --require-hashes -r examples/compare/requirements.txt && mv "$$venv.new" "$$venv"; }; \
	"$$venv/bin/python" examples/compare/compare.py --binary bin/modelvigil $(ARGS); \
	"$$venv/bin/python" examples/compare/speed.py --binary bin/modelvigil

.PHONY: drift-table
drift-table: build ## drift rules beside scipy, Evidently, NannyML and whylogs, installed once (2.4 GB): ARGS='--quick --only raw'
	@venv="$${XDG_CACHE_HOME:-$$HOME/.cache}/modelvigil/drift-$$(sha256sum < examples/drift/requirements.txt | cut -c1-12)"; \
	[[ -d $$venv ]] || { python3 -m venv "$$venv.new" && "$$venv.new/bin/pip" install -q --no-deps --require-hashes -r examples/drift/requirements.txt && mv "$$venv.new" "$$venv"; }; \
	"$$venv/bin/python" examples/drift/compare.py --binary bin/modelvigil $(ARGS)

.PHONY: e2e-airflow
e2e-airflow: ## the airflow backend against a real Airflow, installed once (300 MB)
	@$(TEMPORAL) >/dev/null; tools/airflow/install.sh >/dev/null
	MODELVIGIL_TEMPORAL=$$($(TEMPORAL)) MODELVIGIL_AIRFLOW=$$(tools/airflow/install.sh) \
	  $(GOTEST) $(RACE) -count=1 -timeout=20m -p=1 ./activities/airflow/... ./e2e/airflow/...

.PHONY: e2e-kubernetes
e2e-kubernetes: ## the Kubernetes backends and deploy/ on a real control plane, built once; needs etcd (Debian: etcd-server)
	@$(TEMPORAL) >/dev/null; tools/kubernetes/build.sh >/dev/null
	MODELVIGIL_TEMPORAL=$$($(TEMPORAL)) MODELVIGIL_KUBERNETES=$$(tools/kubernetes/build.sh) \
	  $(GOTEST) $(RACE) -count=1 -timeout=20m ./activities/kubernetes/... ./e2e/kubernetes/...
	cd tools/shipped && MODELVIGIL_KUBERNETES=$$(../kubernetes/build.sh) $(GOTEST) -count=1 ./manifests

.PHONY: e2e-compose
e2e-compose: ## docker-compose.yml's programs without containers: PostgreSQL (Debian: postgresql, netcat-openbsd), Temporal's server
	@$(TEMPORAL) >/dev/null; tools/server/build.sh >/dev/null
	cd tools/shipped && MODELVIGIL_TEMPORAL=$$($(TEMPORAL)) MODELVIGIL_SERVER=$$(../server/build.sh) MODELVIGIL_POSTGRESQL=$$(../postgresql.sh) \
	  $(GOTEST) $(RACE) -count=1 -timeout=20m ./compose/...

.PHONY: e2e-browser
e2e-browser: ## the backtest's report and the Temporal UI with hostile names, in a browser; needs chromium on PATH
	@$(TEMPORAL) >/dev/null
	cd tools/shipped && MODELVIGIL_TEMPORAL=$$($(TEMPORAL)) $(GOTEST) -count=1 -timeout=20m ./browser

.PHONY: e2e-feeding
e2e-feeding: ## events from Python, Node, the temporal CLI, OpenTelemetry and Prometheus; installs the SDKs once (130 MB)
	@$(TEMPORAL) >/dev/null; tools/feeding/install.sh >/dev/null; tools/prometheus/build.sh >/dev/null
	MODELVIGIL_TEMPORAL=$$($(TEMPORAL)) MODELVIGIL_FEEDING=$$(tools/feeding/install.sh) MODELVIGIL_PROMETHEUS=$$(tools/prometheus/build.sh) \
	  $(GOTEST) -count=1 -timeout=20m -run Feeding ./e2e

.PHONY: e2e-prometheus
e2e-prometheus: ## alert rules, dashboards and notices with a real Prometheus and Alertmanager, built once
	@$(TEMPORAL) >/dev/null; tools/prometheus/build.sh >/dev/null
	MODELVIGIL_TEMPORAL=$$($(TEMPORAL)) MODELVIGIL_PROMETHEUS=$$(tools/prometheus/build.sh) \
	  $(GOTEST) $(RACE) -count=1 -timeout=20m -run 'Alert|Dashboards|Notif|Channel|Told' ./e2e ./activities/notify

.PHONY: e2e-gateway
e2e-gateway: ## the gateway against its OpenAPI document, by schemathesis, installed once (90 MB)
	@$(TEMPORAL) >/dev/null; tools/schemathesis/install.sh >/dev/null
	MODELVIGIL_TEMPORAL=$$($(TEMPORAL)) MODELVIGIL_SCHEMATHESIS=$$(tools/schemathesis/install.sh) \
	  $(GOTEST) $(RACE) -count=1 -run Gateway ./e2e

.PHONY: reproducible
reproducible: ## whether the image's binaries are the same when they are built twice, without any cache: 10 minutes and more
	cd tools/release && MODELVIGIL_REPRODUCIBLE=yes $(GOTEST) -count=1 -timeout=60m -run Binaries ./...

.PHONY: sbom
sbom: ## bin/sbom: the image's binaries and a bill of materials of each (CycloneDX), validated
	rm -rf bin/sbom
	CGO_ENABLED=0 GOOS=linux go build -trimpath -buildvcs=false -ldflags='-s -w' -o bin/sbom/modelvigil ./starter
	CGO_ENABLED=0 GOOS=linux go build -trimpath -buildvcs=false -ldflags='-s -w' -o bin/sbom/modelvigil-worker ./worker
	for program in modelvigil modelvigil-worker; do GOPROXY=off go tool -modfile=tools/release/go.mod cyclonedx-gomod bin -json -std -licenses -noserial -notimestamp \
	  -version "$$(git describe --always --dirty)" -output bin/sbom/$$program.cdx.json bin/sbom/$$program; done
	cd tools/release && MODELVIGIL_SBOM=$(CURDIR)/bin/sbom $(GOTEST) -count=1 -run Bills ./...

.PHONY: sign
sign: sbom ## bin/sbom/SHA256SUMS and its signature by an SSH key: make sign KEY=~/.ssh/id_ed25519
	cd bin/sbom && sha256sum modelvigil modelvigil-worker *.cdx.json > SHA256SUMS && rm -f SHA256SUMS.sig && ssh-keygen -Y sign -f "$(KEY)" -n modelvigil SHA256SUMS

.PHONY: vulnerabilities
vulnerabilities: ## known vulnerabilities that the programs reach (govulncheck); needs Go's vulnerability database
	@code=0; go tool -modfile=tools/release/go.mod govulncheck ./worker ./starter || code=$$?; \
	[[ $$code != 1 ]] || echo "vulnerabilities: NOT CHECKED, the database could not be asked"; \
	[[ $$code != 3 ]]

.PHONY: schema
schema: ## docs/policy.schema.json, from the types of a policy
	cd tools/shipped/schema && go run . > policy.schema.json.new && mv policy.schema.json.new ../../../docs/policy.schema.json

.PHONY: reference
reference: ## docs/cli.md and docs/settings.md, from what the programs say
	go test -count=1 -run TheReference ./worker ./starter -update

.PHONY: lint lint-format lint-go lint-determinism lint-length
lint: lint-format lint-go lint-determinism lint-length ## format, linters, import rules, determinism of workflow code, length of files
	@echo "lint: clean"

lint-format:
	@unformatted=$$($(PINNED) gofumpt -l .); [[ -z $$unformatted ]] || { echo "Not gofumpt's format; make fmt:"; echo "$$unformatted"; exit 1; }

lint-go:
	$(PINNED) golangci-lint run ./...
	for module in $(MODULES); do (cd $$module && $(PINNED) golangci-lint run --config=$(CURDIR)/.golangci.yml ./...); done

lint-determinism:
	$(PINNED) workflowcheck -config=tools/lint/workflowcheck.yml ./workflows/...

lint-length:
	@find . -name '*.go' -exec awk 'FNR == 401 {print FILENAME " has more than 400 lines; a file is a chapter"; long = 1} END {exit long}' {} +

.PHONY: fmt
fmt: ## put all Go files into gofumpt's format
	$(PINNED) gofumpt -w .
	$(PINNED) golangci-lint fmt ./...

.PHONY: bench
bench: build ## benchmarks: in process, then against a Temporal dev server
	go test -run='^$$' -bench=. -benchmem $$(go list ./... | grep -v '^$(MODULE)/e2e')
	tools/with-server.sh bin/modelvigil bench $(ARGS)

.PHONY: picture
picture: build ## docs/picture.png, the README's, and docs/ui/*.png and docs/top.png; needs a Chromium and tmux
	tools/shipped/picture/make.sh
	tools/shipped/picture/ui.sh
	tools/shipped/picture/top.sh

.PHONY: clean
clean: ## remove what was built here; the cached Temporal CLI stays
	rm -rf bin
