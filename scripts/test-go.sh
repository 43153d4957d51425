#!/usr/bin/env bash
# Runs the Go tests, with the race detector. The packages of `plain` are compiled without it: they start the program
# (internal/e2e one that has the race detector in it) or have no concurrency, and would only be slower.
# internal/doctest checks that.
#
# Nor has SQLite itself the race detector in it: it is C, translated to Go by a program, and took a third of the time
# of all tests. The driver, which gets our memory, has it.
#
# The simulation runs thousands of seeds without the race detector, and some with it.
#
# Both halves run at the same time: many tests wait for servers more than for processors.
set -euo pipefail
cd "$(dirname "$0")/.."

plain='config|digest|file|openapi|problem|internal/(buildtest|deploytest|doctest|e2e|mutants|sim|test/holdfasttest)'

# The two slowest packages start first, or the run would end with waiting for them. internal/djangotest is a step of its own.
packages=$(printf '%s\n' holdfast/internal/e2e holdfast/upload; go list ./... | grep -vxE 'holdfast/(internal/(djangotest|e2e)|upload)')
CGO_ENABLED=0 go test -timeout 40m -p 2 -parallel 4 $(grep -Ex "holdfast/($plain)" <<<"$packages") </dev/null &
beside=$!
trap 'kill "$beside" 2>/dev/null || true' EXIT
status=0
race=(-race)
for package in sqlite/lib libc/... memory; do race+=("-gcflags=modernc.org/$package=-race=false"); done
CGO_ENABLED=1 go test "${race[@]}" -timeout 40m -p 2 -parallel 4 $(grep -Exv "holdfast/($plain)" <<<"$packages") </dev/null || status=$?
SEEDS=20 CGO_ENABLED=1 go test "${race[@]}" -timeout 40m -run 'TestSeeds$' ./internal/sim </dev/null || status=$?
wait "$beside" || status=$?
exit "$status"
