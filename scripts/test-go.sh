#!/usr/bin/env bash
# Runs the Go tests, with the race detector but for some packages (scripts/race.sh). The simulation runs thousands of seeds
# without it, and some with it.
#
# Both halves run at the same time: many tests wait for servers more than for processors. What both need is compiled
# before. The linters' step vets the packages, so the tests do not.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/race.sh

CGO_ENABLED=1 go list -export "${race[@]}" ./... </dev/null >/dev/null # compiles, and links nothing

# The slowest packages start first, or the run would end with waiting for them. internal/djangotest is a step of its own.
# GOGC: test programs without the race detector are small, and most of what they allocate is garbage.
first() { printf 'holdfast/%s\n' "$@"; grep -vxF "$(printf 'holdfast/%s\n' "$@")"; }
CGO_ENABLED=0 GOGC=300 go test -vet=off -timeout 40m -p 2 -parallel 4 \
  $(plain_packages | grep -vx holdfast/internal/djangotest | first internal/e2e internal/doctest internal/deploytest) </dev/null &
beside=$!
trap 'kill "$beside" 2>/dev/null || true' EXIT
status=0
CGO_ENABLED=1 go test -vet=off "${race[@]}" -timeout 40m -p 5 -parallel 4 \
  $(race_packages | first storage/s3 upload direct db resumable reconcile) </dev/null || status=$?
SEEDS=20 CGO_ENABLED=1 go test -vet=off "${race[@]}" -timeout 40m -run 'TestSeeds$' ./internal/sim </dev/null || status=$?
wait "$beside" || status=$?
exit "$status"
