#!/usr/bin/env bash
# Runs make targets one after the other, continues after a failure, and prints in the end which passed, which
# failed and which were not run:
#
#   steps.sh build test-tus:build test-browser:build+lint test-go
#
# NAME:NEED,NEED is a step that depends on others: if one of those did not pass, it is not run. Steps with a + between
# them run side by side; the output of the first is shown while it runs, and that of the others after it. STEP_LIMIT
# (an hour by default) ends a step that hangs. The exit status is 0 if every step ran and passed.
set -uo pipefail

limit=${STEP_LIMIT:-1h}
make=${MAKE:-make}
logs=$(mktemp -d)
names=()          # of all steps, in order
declare -A result # passed, failed, or why it was not run
declare -A took   # in seconds
declare -A began   # in seconds since the start
declare -A running # the names of the steps that run now, by process
shown=             # the one of them whose output is shown while it runs
copier=            # the process that shows it
trap 'rm -rf "$logs"' EXIT
trap 'interrupted 130' INT
trap 'interrupted 143' TERM

# start runs a target. Its output goes into a file, and that of the first of several to the terminal, too.
start() {
  if [[ -z $copier ]]; then
    echo "== $1"
    exec 3> >(exec tee "$logs/$1")
    copier=$! shown=$1
  else
    echo "== $1 runs beside $shown, and is shown after it"
    exec 3>"$logs/$1"
  fi
  began[$1]=$SECONDS
  timeout --kill-after=30s "$limit" "$make" --no-print-directory "$1" </dev/null >&3 2>&1 3>&- &
  running[$!]=$1
  exec 3>&-
}

# await takes the results of the steps that run now, and shows what has not been shown.
await() {
  local process name status beside=()
  while ((${#running[@]} > 0)); do
    for process in "${!running[@]}"; do
      if kill -0 "$process" 2>/dev/null; then continue; fi
      name=${running[$process]} status=0
      unset "running[$process]"
      wait "$process" || status=$?
      took[$name]="$((SECONDS - began[$name])) s"
      if ((status == 0)); then result[$name]=passed; else result[$name]=failed; fi
      if [[ $name == "$shown" ]]; then drain; else beside+=("$name"); fi
      if ((status == 124 || status == 137)); then echo "$name did not end within $limit." | tee -a "$logs/$name"; fi
    done
    sleep 0.1
  done
  for name in ${beside[@]+"${beside[@]}"}; do
    echo "== $name, which ran beside $shown"
    cat "$logs/$name"
  done
  shown='' copier=''
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
  local process
  for process in "${!running[@]}"; do
    kill "$process" 2>/dev/null
    unset "result[${running[$process]}]"
  done
  for process in "${!running[@]}"; do wait "$process"; done
  if [[ -n $copier ]]; then drain; fi
  closing
  exit "$1"
}

for argument; do
  for step in ${argument//+/ }; do names+=("${step%%:*}"); done
done
for argument; do
  for step in ${argument//+/ }; do
    name=${step%%:*} needs=
    if [[ $step == *:* ]]; then needs=${step#*:}; fi
    missing=$(lacks "$needs")
    if [[ -n $missing ]]; then
      result[$name]="not run" took[$name]="without $missing"
    else
      start "$name"
    fi
  done
  await
done
closing
