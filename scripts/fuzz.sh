#!/usr/bin/env bash
# Runs every fuzz target for a short time: fuzz.sh [TIME], 10s by default. Continues after
# a finding, and fails in the end.
set -euo pipefail
cd "$(dirname "$0")/.."

time=${1:-10s}
out=$(mktemp)
trap 'rm -f "$out"' EXIT

# Go before 1.27 sometimes reports the end of the time as a failure (go.dev/issue/75804).
# A real finding always names the input that it wrote.
only_time_was_up() {
  grep -q '^ *context deadline exceeded$' "$out" && ! grep -Eq 'Failing input|panic:|fatal error:' "$out"
}

found=0
failed=()
while IFS=: read -r file line; do
  target=${line#func }
  target=${target%%(*}
  found=$((found + 1))
  echo "== $target in $(dirname "$file"), $time"
  if ! go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "./$(dirname "$file")" </dev/null 2>&1 | tee "$out"; then
    if only_time_was_up; then
      echo "(no finding: only the time was up)"
    else
      failed+=("$target")
    fi
  fi
done < <(find . -name node_modules -prune -o -name '*_test.go' -exec grep -H '^func Fuzz' {} + | sort)

echo "$found fuzz targets ran, ${#failed[@]} failed. ${failed[*]}"
((found > 0 && ${#failed[@]} == 0))
