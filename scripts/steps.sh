#!/usr/bin/env bash
# Runs make targets one after the other, continues after a failure, and prints in the end which passed, which
# failed and which were not run:
#
#   steps.sh lint build test-tus:build test-go
#
# NAME:NEED,NEED is a step that depends on others: if one of those did not pass, it is not run. STEP_LIMIT
# (an hour by default) ends a step that hangs. The exit status is 0 if every step ran and passed.
set -uo pipefail

limit=${STEP_LIMIT:-1h}
make=${MAKE:-make}
logs=$(mktemp -d)
names=()          # of all steps, in order
declare -A result # passed, failed, or why it was not run
declare -A took   # in seconds

step=   # the process that runs now
copier= # the one that shows what it says
trap 'rm -rf "$logs"' EXIT
trap 'interrupted 130' INT
trap 'interrupted 143' TERM

# watch runs a target. Its output goes to the terminal and into a file.
watch() {
  local status=0
  exec 3> >(exec tee "$logs/$1")
  copier=$!
  timeout --kill-after=30s "$limit" "$make" --no-print-directory "$1" </dev/null >&3 2>&1 3>&- &
  step=$!
  exec 3>&-
  wait "$step" || status=$?
  step=
  drain
  if ((status == 124 || status == 137)); then echo "$1 did not end within $limit."; fi
  return "$status"
}

# drain waits until all output of a step is shown. A process that it left running may hold the pipe open for ever,
# so drain waits a few seconds at most.
drain() {
  for _ in {1..50}; do kill -0 "$copier" 2>/dev/null && sleep 0.1; done
  kill "$copier" 2>/dev/null
}

# lacks prints the first dependency of a step that has not passed.
lacks() {
  local need
  for need in ${1//,/ }; do
    if [[ ${result[$need]-} != passed ]]; then
      echo "$need"
      return
    fi
  done
}

# what_failed shows the lines of a log that name failures: the last lines of a test that hung are only the end of
# a long dump of goroutines. Without such lines it shows the log's last ones.
what_failed() {
  local lines
  lines=$(awk '/^ *--- FAIL|^ *not ok|^panic: |^FAIL\t|DATA RACE/ || (hung && /^\t\t/) { print }
    { hung = /running tests:/ || (hung && /^\t\t/) }' "$1" | tail -n 30)
  echo "${lines:-$(tail -n 8 "$1")}" | sed 's/^/    /'
}

# closing prints the table. Its last line is what CI reads: "N passed, N failed", and ", N skipped" of what was
# not run.
closing() {
  local name passed=0 failed=0 not_run=0
  echo
  for name in "${names[@]}"; do
    case ${result[$name]-not run} in
    passed) passed=$((passed + 1)) ;;
    failed) failed=$((failed + 1)) ;;
    *) not_run=$((not_run + 1)) ;;
    esac
    printf '%-16s %-8s %s\n' "$name" "${result[$name]-not run}" "${took[$name]-}"
    if [[ ${result[$name]-} == failed ]]; then what_failed "$logs/$name"; fi
  done
  echo "$passed passed, $failed failed$( ((not_run == 0)) || echo ", $not_run skipped")"
  ((failed + not_run == 0))
}

interrupted() {
  if [[ -n $step ]]; then
    kill "$step" 2>/dev/null
    wait "$step"
    drain
  fi
  closing
  exit "$1"
}

for argument; do names+=("${argument%%:*}"); done
for argument; do
  name=${argument%%:*} needs=
  if [[ $argument == *:* ]]; then needs=${argument#*:}; fi
  missing=$(lacks "$needs")
  if [[ -n $missing ]]; then
    result[$name]="not run" took[$name]="without $missing"
    continue
  fi
  echo "== $name"
  began=$SECONDS
  if watch "$name"; then result[$name]=passed; else result[$name]=failed; fi
  took[$name]="$((SECONDS - began)) s"
done
closing
