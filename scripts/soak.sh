#!/usr/bin/env bash
# Runs a command, such as all tests, several times while other processes compute: soak.sh RUNS BUSY COMMAND... A test that
# depends on the machine's speed fails in some run. It continues after a failed run, and reports in the end which runs failed,
# and where their output is. If it is interrupted, it reports the runs that have ended. The exit status is 0 if every run has
# passed.
set -uo pipefail
cd "$(dirname "$0")/.."
runs=$1 busy=$2
shift 2

logs=$(mktemp -d "${TMPDIR:-/tmp}/holdfast-soak.XXXXXX")
loops=()
failed=()
ended=0
tests=

finish() {
  if [[ -n $tests ]]; then
    kill -- "-$tests" 2>/dev/null
    wait "$tests" 2>/dev/null
  fi
  kill ${loops[@]+"${loops[@]}"} 2>/dev/null
  echo "$ended of $runs runs beside $busy busy processes, ${#failed[@]} failed${failed[*]+: ${failed[*]}}"
  if ((${#failed[@]} > 0)); then echo "Their output is in $logs"; else rm -rf "$logs"; fi
  ((ended == runs && ${#failed[@]} == 0))
  exit $?
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# A loop ends by itself when this script is gone.
for ((i = 0; i < busy; i++)); do
  while kill -0 $$ 2>/dev/null; do for ((j = 0; j < 100000; j++)); do :; done; done &
  loops+=($!)
  disown # bash would report its end
done

set -m # the tests are a process group of their own, so that all of them can be ended
for ((run = 1; run <= runs; run++)); do
  began=$SECONDS
  # -count 1: a result from the cache would prove nothing.
  GOFLAGS="${GOFLAGS-} -count=1" "$@" </dev/null >"$logs/$run" 2>&1 &
  tests=$!
  if wait "$tests"; then said=passed; else said=failed failed+=("$run"); fi
  tests=
  ended=$run
  echo "run $run $said after $((SECONDS - began)) s"
  if [[ $said == failed ]]; then grep -E '^ *--- FAIL|^ *not ok|^panic: |^FAIL|DATA RACE|^[a-z-]+ +failed ' "$logs/$run" | tail -n 30; fi
done
