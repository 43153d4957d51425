#!/usr/bin/env bash
# Runs the Go tests: test-go.sh race those with the race detector, test-go.sh plain the others (scripts/race.sh), without an
# argument both at the same time, since many tests wait for servers more than for processors. The simulation runs thousands of
# seeds without the race detector, and some with it. The linters' step vets the packages, so the tests do not.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/race.sh

# The slowest packages start first, or the run would end with waiting for them.
first() { printf 'holdfast/%s\n' "$@"; grep -vxF "$(printf 'holdfast/%s\n' "$@")"; }

with_race() {
  local status=0
  CGO_ENABLED=1 go test -vet=off "${race[@]}" -p 4 -parallel 4 \
    $(race_packages | first upload storage/s3 direct storage/disk db resumable reconcile) </dev/null || status=$?
  SEEDS=20 CGO_ENABLED=1 go test -vet=off "${race[@]}" -run 'TestSeeds$' ./internal/sim </dev/null || status=$?
  return "$status"
}

# internal/djangotest is a step of its own. The simulation computes on one processor for a minute: at the end it would leave
# the other one idle. GOGC: test programs without the race detector are small, and most of what they allocate is garbage.
plain() {
  CGO_ENABLED=0 GOGC=300 go test -vet=off -p 3 -parallel 4 \
    $(plain_packages | grep -vx holdfast/internal/djangotest | first internal/e2e internal/sim internal/doctest internal/deploytest) </dev/null
}

case ${1-both} in
race) with_race ;;
plain) plain ;;
both)
  plain &
  beside=$!
  trap 'kill "$beside" 2>/dev/null || true' EXIT
  status=0
  with_race || status=$?
  wait "$beside" || status=$?
  exit "$status"
  ;;
*)
  echo "test-go.sh [race|plain]" >&2
  exit 2
  ;;
esac
