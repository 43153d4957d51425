# Targets to run, test and measure Holdfast. `make run` needs Go and Node; `make test` also needs what
# scripts/deps.sh installs.

.DEFAULT_GOAL := build
# scripts/steps.sh alone runs steps side by side: they share two cores, and CI reads the last lines.
.NOTPARALLEL:

# Go, npm and pip cache downloads under $HOME. Where it is not set (cron, a bare container), it is looked up in
# the user database.
ifndef HOME
export HOME := $(shell getent passwd "$$(id -u)" | cut -d: -f6)
endif

# The service needs no cgo; the race detector does, and its targets enable it. Without this line go vet would
# compile all libraries a third time.
export CGO_ENABLED := 0

# As a release is compiled, and the program that bench/ measures. Without it what Go has compiled in one clone would
# count for nothing in another, since the files are in another folder. The same then holds for the results of tests: CI
# takes none from an earlier run. The time limit of a test program is for one that hangs: Go's own, ten minutes, a busy
# machine may need.
own_flags := -trimpath -timeout=40m
export GOFLAGS := $(strip $(filter-out $(own_flags),$(shell go env GOFLAGS 2>/dev/null)) $(own_flags) $(if $(CI),-count=1))

.PHONY: stores run build page deps test check lint test-fast test-fresh test-page test-types test-lib test-tus test-browser pictures test-bench test-deploy test-django test-go test-race test-plain soak bench bench-docs faults sim mutants crowd million fuzz api-fuzz clean

# run starts the service on ./data with everything embedded; Ctrl-C stops it. It replaces the shell (exec), so
# that signals reach it directly. With STORE=s3 its objects are in an S3 server that is started beside it.
run: build
	@scripts/page.sh --optional
	@exec $(if $(filter s3,$(STORE)),scripts/run-s3.sh,./holdfast serve)

build:
	@scripts/tools.sh go
	@[ -e holdfast ] || echo "The first build takes some minutes: all libraries are compiled."
	CGO_ENABLED=0 go build -o holdfast .

page:
	@scripts/page.sh

deps:
	@scripts/deps.sh

# Each step is a target; after the colon come the steps it depends on. Several run side by side, the earlier ones first:
# many tests wait more than they compute, the longest begin before the others, and the linters use what the tests
# compiled. All steps run, even after a failure, and a table of results is printed at the end. With FRESH=yes, set by CI,
# everything is fetched into empty caches: the modules by a step of its own, packages by the steps that install them.
STEPS := deps build page test-race:deps,page test-plain:deps,page test-browser:deps,build,page $(if $(FRESH),test-fresh) lint:deps,page \
	test-django:deps test-tus:build,page test-lib:page test-types:page test-bench:deps test-deploy test-release
test:
	@$(if $(FRESH),scripts/fresh.sh forget)
	@LINT_RACE=yes MAKE="$(MAKE)" scripts/steps.sh $(STEPS)

# For use while working: seconds after a small change, under two minutes in any case once everything is compiled.
check:
	@MAKE="$(MAKE)" scripts/steps.sh lint build test-fast

lint:
	@scripts/tools.sh go
	@scripts/lint.sh

# Type check and unit tests of the library, then tus-js-client and a browser against the real program.
test-page: test-types test-lib test-tus test-browser

test-types: page
	cd web-example && npm run typecheck </dev/null

test-lib: page
	cd clients/js && npm test </dev/null
	cd web-example && npm run test:texts </dev/null

test-tus: build page
	cd web-example && HOLDFAST_BIN="$(CURDIR)/holdfast" npm run test:tus </dev/null

test-browser: build page
	cd web-example && HOLDFAST_BIN="$(CURDIR)/holdfast" npm run test:browser </dev/null

# Takes the README's screenshots of the real program.
pictures: build page
	cd web-example && HOLDFAST_BIN="$(CURDIR)/holdfast" node test/pictures.mjs </dev/null

test-go:
	@scripts/tools.sh go
	@scripts/test-go.sh

# Its half with the race detector, and the other.
test-race:
	@scripts/tools.sh go
	@scripts/test-go.sh race

test-plain:
	@scripts/tools.sh go
	@scripts/test-go.sh plain

test-bench:
	@scripts/tools.sh go
	cd bench && CGO_ENABLED=1 go test -vet=off -race ./... </dev/null

# Uncached: it reads files outside its module, whose changes Go does not notice.
test-deploy:
	@scripts/tools.sh go
	cd deploy/check && go test -vet=off -count 1 ./... </dev/null

# The Django package with a real Django; Python's packages are fetched from PyPI.
test-django:
	@scripts/tools.sh go
	go test -vet=off -count 1 ./internal/djangotest </dev/null

# What release/ reads of the unit, the Dockerfile and versions. `make release-check` tries what it makes.
test-release:
	@scripts/tools.sh go
	cd release && go test -vet=off -count 1 ./... </dev/null

# Without the packages whose tests are slow or start servers (except db/); doctest only reads documents (-short).
SLOW := tus|upload|storage/(s3|disk)|internal/(djangotest|e2e|deploytest|mutants|test/(pgtest|redistest|s3test))
test-fast:
	@scripts/tools.sh go
	go test -vet=off -short $$(go list ./... | grep -Ev '^holdfast/($(SLOW))$$') </dev/null

# Fetches all modules into an empty cache and an empty home, as on a new machine.
test-fresh:
	@scripts/fresh.sh modules

# Compares with stock tusd, a direct PUT into the same store, and nginx: takes some minutes and a RAM disk. It is
# a Go module of its own, so that its dependencies stay out of the service.
#   make bench BENCH="-rounds 5 -only stream,head"
#   make bench BENCH=-others             also @tus/server (Node) and a service in Python
#   make bench BENCH="-store seaweedfs"  over SeaweedFS; with disk: all keep files themselves
bench:
	@scripts/tools.sh go
	cd bench && go run . $(BENCH)

# The same on an otherwise idle machine, writing the numbers to README.md, docs/BENCHMARKS.md and docs/bench; each of those
# choices has a table of its own.
bench-docs:
	@scripts/tools.sh go
	cd bench && go run . -docs $(BENCH)

.PHONY: release release-check test-release
# Builds what can be installed of what is committed, into dist/: programs, .deb, .rpm, images, the Helm chart, SBOMs, SHA256SUMS.
#   make release VERSION=0.2.0 MAINTAINER='Jane Doe <jane@example.org>'
release:
	@scripts/tools.sh go
	@scripts/tools.sh node
	go build -C release -o ../.cache/release . </dev/null
	@.cache/release -version "$(VERSION)" $(if $(MAINTAINER),-maintainer "$(MAINTAINER)") </dev/null

# Builds dist/ a second time and compares; then installs, upgrades, runs and removes what is in it, as root.
release-check:
	@scripts/release-check.sh

# Injects seven kinds of fault at every single call to SQL and S3, on both databases. `make test`, with the race
# detector, takes every third call of the scenarios with parts, and every ninth of the largest.
faults: deps
	CGO_ENABLED=0 go test -timeout 60m -count 1 -run FaultAtEveryCall -v ./upload </dev/null

# Runs more seeds of the simulation than `make test` does: engines in virtual time, over a store and a database that
# fail. FIRST is the first of them.
#   make sim SEEDS=100000
SEEDS ?= 20000
FIRST ?= 0
sim:
	@scripts/tools.sh go
	SEEDS=$(SEEDS) FIRST=$(FIRST) go test -timeout 24h -count 1 -run TestSeeds$$ ./internal/sim </dev/null

# Runs `make test` RUNS times, each time with BUSY processes beside it that only compute, and says which runs failed.
#   make soak RUNS=10 BUSY=3
RUNS ?= 10
BUSY ?= 3
soak: deps
	@scripts/soak.sh $(RUNS) $(BUSY) $(MAKE) --no-print-directory test

# Installs SeaweedFS, MinIO and other S3 servers as far as they can be had, and runs everything on each: docs/STORES.md.
#   make stores ONLY=MinIO
stores:
	@scripts/tools.sh go
	@scripts/stores.sh $(ONLY)

# Removes each guard of internal/mutants/guards from a copy, one by one: the tests that it names must fail.
#   make mutants GUARDS=lease
mutants: deps
	@go run ./internal/mutants -run "$(GUARDS)" </dev/null

# Two thousand slow clients beside a fast one. It measures speed and memory, so nothing else should run.
crowd: deps
	HOLDFAST_TEST_ALONE=yes go test -count 1 -run TestFastBesideSlow -v ./internal/e2e </dev/null

# Compares a million files in both databases with the listing of a store, and measures memory.
million: deps
	HOLDFAST_TEST_ALONE=yes go test -count 1 -run TestMany -v ./reconcile </dev/null

# make fuzz FUZZTIME=1m
FUZZTIME ?= 10s
fuzz:
	@scripts/tools.sh go
	@scripts/fuzz.sh $(FUZZTIME)

# make api-fuzz EXAMPLES=100: schemathesis (an API fuzzer in Python) sends the built program requests that
# /openapi.json allows and forbids. Not part of `make test`, which needs neither Python nor PyPI.
EXAMPLES ?= 30
api-fuzz: build
	@scripts/api-fuzz.sh $(EXAMPLES)

# data/ stays: it holds users' files.
clean:
	rm -rf holdfast dist .cache clients/js/dist clients/js/holdfast-client.tgz web-example/dist web-example/test-results
