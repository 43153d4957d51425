# The ways to work with Holdfast. `make run` needs Go and Node; `make test` also what
# scripts/deps.sh installs.

.DEFAULT_GOAL := build
# One thing after the other: the steps share two cores, and CI reads the closing lines.
.NOTPARALLEL:

# Go, npm and pip keep what they fetched at home. Who has none (a job of cron, a bare container) is told by the
# list of users where it is.
ifndef HOME
export HOME := $(shell getent passwd "$$(id -u)" | cut -d: -f6)
endif

# The service needs no cgo; the race detector does, and asks for it where it is. Without this line all libraries
# would be compiled a third time, for go vet.
export CGO_ENABLED := 0

.PHONY: run build page deps test check lint test-fast test-fresh test-page test-types test-lib test-tus test-browser pictures test-bench test-deploy test-go bench bench-docs faults mutants crowd million fuzz api-fuzz clean

# run starts the service on ./data with everything inside; Ctrl-C ends it. The shell
# is replaced by it (exec), so that signals reach it and nothing else.
run: build
	@scripts/page.sh --optional
	@exec ./holdfast serve

build:
	@scripts/tools.sh go
	@[ -e holdfast ] || echo "The first build takes some minutes: all libraries are compiled."
	CGO_ENABLED=0 go build -o holdfast .

page:
	@scripts/page.sh

deps:
	@scripts/deps.sh

# Each step is a target of its own, behind a colon are those without which it makes no sense. All of them are
# run, also after one has failed; a table in the end says what became of each. FRESH=yes, as CI has it, looks first
# whether all of it works where nothing was fetched before.
STEPS := $(if $(FRESH),test-fresh) deps lint build page test-types:page test-lib:page test-tus:build,page test-browser:deps,build,page \
	test-deploy test-bench:deps test-go:deps,page
test:
	@MAKE="$(MAKE)" scripts/steps.sh $(STEPS)

# While one works: some seconds after a small change, under two minutes in any case once all is compiled.
check:
	@MAKE="$(MAKE)" scripts/steps.sh lint build test-fast

lint:
	@scripts/tools.sh go
	@scripts/lint.sh

# Type check and the library's own rules, then tus-js-client and a browser against the real program.
test-page: test-types test-lib test-tus test-browser

test-types: page
	cd web-example && npm run typecheck </dev/null

test-lib: page
	cd web-example && npm run test:lib </dev/null

test-tus: build page
	cd web-example && HOLDFAST_BIN="$(CURDIR)/holdfast" npm run test:tus </dev/null

test-browser: build page
	cd web-example && HOLDFAST_BIN="$(CURDIR)/holdfast" npm run test:browser </dev/null

# The pictures of the README, of the real program.
pictures: build page
	cd web-example && HOLDFAST_BIN="$(CURDIR)/holdfast" node test/pictures.mjs </dev/null

test-go:
	@scripts/tools.sh go
	@scripts/test-go.sh

test-bench:
	@scripts/tools.sh go
	cd bench && CGO_ENABLED=1 go test -race ./... </dev/null

# What it reads is outside its module, where Go does not look for changes.
test-deploy:
	@scripts/tools.sh go
	cd deploy/check && go test -count 1 ./... </dev/null

# Not the packages whose tests take long or start servers (but for those of db/), and of doctest only what reads.
SLOW := tus|upload|storage/(s3|disk)|internal/(e2e|deploytest|mutants|test/(pgtest|redistest|s3test))
test-fast:
	@scripts/tools.sh go
	go test -short $$(go list ./... | grep -Ev '^holdfast/($(SLOW))$$') </dev/null

# Modules and packages come from the network into empty caches and an empty home, as on a new machine.
test-fresh:
	@scripts/fresh.sh

# Beside stock tusd, a direct put into the same store and nginx before it: some minutes, and
# a RAM disk. A module of its own, so that what it needs stays out of the service.
#   make bench BENCH="-rounds 5 -only stream,head"
bench:
	@scripts/tools.sh go
	cd bench && go run . $(BENCH)

# The same with nothing else at work, and its numbers into README.md, docs/BENCHMARKS.md and docs/bench.
bench-docs:
	@scripts/tools.sh go
	cd bench && go run . -docs $(BENCH)

# A fault at every single call to SQL and S3, of seven kinds, on both databases. With the
# race detector, in `make test`, those of the large scenarios are every ninth.
faults: deps
	CGO_ENABLED=0 go test -timeout 60m -count 1 -run FaultAtEveryCall -v ./upload </dev/null

# Takes each guard of internal/mutants/guards out of a copy, one by one: the tests that it names must fail.
#   make mutants GUARDS=lease
mutants: deps
	@go run ./internal/mutants -run "$(GUARDS)" </dev/null

# Two thousand slow clients beside a fast one: its speed and the memory are measured, so
# nothing else should run.
crowd: deps
	HOLDFAST_TEST_ALONE=yes go test -count 1 -run TestFastBesideSlow -v ./internal/e2e </dev/null

# A million files in both databases compared with the listing of a store: the memory is measured.
million: deps
	HOLDFAST_TEST_ALONE=yes go test -count 1 -run TestMany -v ./reconcile </dev/null

# make fuzz FUZZTIME=1m
FUZZTIME ?= 10s
fuzz:
	@scripts/tools.sh go
	@scripts/fuzz.sh $(FUZZTIME)

# make api-fuzz EXAMPLES=100: schemathesis (a fuzzing client in Python) asks the built program whatever
# /openapi.json allows and forbids. Not in `make test`, which needs no Python and no PyPI.
EXAMPLES ?= 30
api-fuzz: build
	@scripts/api-fuzz.sh $(EXAMPLES)

# data/ is somebody's files: it stays.
clean:
	rm -rf holdfast .cache web-example/dist web-example/test-results
