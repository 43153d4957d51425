#!/usr/bin/env bash
# Runs make targets, some of them side by side, continues after a failure, and prints in the end which passed, which
# failed and which were not run:
#
#   steps.sh build test-tus:build test-browser:build,page test-go
#
# NAME:NEED,NEED is a step that depends on others, which are named before it: it starts when they have passed, and is not
# run if one of them did not. STEPS_AT_ONCE steps run at a time (4 by default), the earlier ones first. The output of a
# step is printed as a whole when it has ended; the line that says that it begins names the file with its output so far.
# STEP_LIMIT (an hour by default) ends a step that hangs. The exit status is 0 if every step ran and passed.
set -uo pipefail

limit=${STEP_LIMIT:-1h}
at_once=${STEPS_AT_ONCE:-4}
make=${MAKE:-make}
logs=$(mktemp -d)
names=()           # of all steps, in order
declare -A needs=()  # the names of the steps that each depends on
declare -A result=() # passed, failed, or that it was not run
declare -A took=()   # in seconds, or why it was not run
declare -A began=()  # in seconds since the start
declare -A running=() # the names of the steps that run now, by process
trap 'rm -rf "$logs"' EXIT
# No more than this: what ends a read with a time limit may break off a trap, too.
stop= # the exit status, once it is interrupted
trap 'stop=130' INT
trap 'stop=143' TERM
exec {never}<> <(:) # nothing can be read from it: a pause without a process

# start runs a target, whose output goes into a file.
start() {
  echo "-- $1 begins: $logs/$1"
  began[$1]=$SECONDS
  timeout --kill-after=30s "$limit" "$make" --no-print-directory "$1" </dev/null >"$logs/$1" 2>&1 {never}>&- &
  running[$!]=$1
}

# start_ready starts the steps whose turn it is.
start_ready() {
  local name missing
  for name in "${names[@]}"; do
    if [[ -n ${result[$name]-} || -n ${began[$name]-} ]]; then continue; fi
    missing=
    if ! ready "$name"; then
      if [[ -n $missing ]]; then result[$name]="not run" took[$name]="without $missing"; fi
    elif ((${#running[@]} < at_once)); then
      start "$name"
    fi
  done
}

# ready says whether all steps that a step depends on have passed. If one of them never will, its name is in missing.
ready() {
  local need status=0
  for need in ${needs[$1]//,/ }; do
    if [[ ${result[$need]-} == passed ]]; then continue; fi
    if [[ -n ${result[$need]-} || -z ${needs[$need]+named} ]]; then missing=$need; fi
    status=1
  done
  return "$status"
}

# collect takes the results of the steps that have ended, and prints what they said.
collect() {
  local process name status
  for process in "${!running[@]}"; do
    if kill -0 "$process" 2>/dev/null; then continue; fi
    name=${running[$process]} status=0
    unset "running[$process]"
    wait "$process" || status=$?
    took[$name]="$((SECONDS - began[$name])) s"
    if ((status == 0)); then result[$name]=passed; else result[$name]=failed; fi
    if ((status == 124 || status == 137)); then echo "$name did not end within $limit." >>"$logs/$name"; fi
    echo "== $name ${result[$name]} after ${took[$name]}"
    cat "$logs/$name"
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
  local process
  for process in "${!running[@]}"; do kill "$process" 2>/dev/null; done
  for process in "${!running[@]}"; do
    wait "$process"
    echo "== ${running[$process]} was interrupted"
    cat "$logs/${running[$process]}"
  done
  closing
  exit "$stop"
}

for step; do
  name=${step%%:*}
  names+=("$name")
  needs[$name]=
  if [[ $step == *:* ]]; then needs[$name]=${step#*:}; fi
done
while start_ready; ((${#running[@]} > 0)); do
  read -r -t 0.2 -u "$never"
  if [[ -n $stop ]]; then interrupted; fi
  collect
done
closing
