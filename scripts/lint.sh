#!/usr/bin/env bash
# Runs every linter over the Go modules and the page, even after one has found something. The programs are
# tools of the module in scripts/lint, so that what they need stays out of the service's go.mod.
set -uo pipefail
cd "$(dirname "$0")/.."
root=$PWD
failed=

check() {
  local folder=$1
  shift
  (cd "$folder" && "$@" </dev/null) || { echo "$folder: $* found something" >&2; failed=yes; }
}

tool() { check "$1" go tool -modfile="$root/scripts/lint/go.mod" "${@:2}"; }

formatted() {
  local files
  files=$(find . -name node_modules -prune -o -name '*.go' -print0 | xargs -0 gofmt -l)
  [[ -z $files ]] || { echo "gofmt would change:"; echo "$files"; return 1; }
}
check . formatted .

# Errors that are ignored, except in tests, which fail by themselves. errcheck.txt lists the allowed functions, with reasons.
# Close may be ignored, too (of what was only read: nothing is lost), and so may draining the rest of an answer.
errors() {
  local found status=0
  found=$(go tool -modfile="$root/scripts/lint/go.mod" errcheck -ignoretests -exclude "$root/scripts/lint/errcheck.txt" ./...) || status=$?
  [[ $status -le 1 ]] || return "$status"
  ! grep -vE '\.Close\(|io\.CopyN?\(io\.Discard, ' <<<"${found:-.Close(}"
}

for module in . bench deploy/check release; do
  check "$module" go vet ./...
  tool "$module" staticcheck ./... # staticcheck.conf has the rules and their reasons
  check "$module" errors
  tool "$module" unparam ./... # a parameter that is always the same, a result that nobody reads
done

# biome.jsonc has the rules of the pages and of their library.
scripts/packages.sh && check web-example npm run --silent lint || failed=yes
check clients/js ../../web-example/node_modules/.bin/biome lint --error-on-warnings
[[ -z $failed ]]
