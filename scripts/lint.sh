#!/usr/bin/env bash
# Runs every linter over the Go modules and the page, even after one has found something. The programs are
# tools of the module in scripts/lint, so that what they need stays out of the service's go.mod.
set -uo pipefail
cd "$(dirname "$0")/.."
. scripts/race.sh
root=$PWD
failed=
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT

check() {
  local folder=$1
  shift
  (cd "$folder" && "$@" </dev/null) || { echo "$folder: $(basename "$1") found something" >&2; failed=yes; }
}

# Compiled before GOFLAGS says how our packages are compiled.
go build -modfile=scripts/lint/go.mod -o "$tools" tool </dev/null || exit 1

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
  found=$("$tools/errcheck" -ignoretests -exclude "$root/scripts/lint/errcheck.txt" "$@") || status=$?
  [[ $status -le 1 ]] || return "$status"
  ! grep -vE '\.Close\(|io\.CopyN?\(io\.Discard, ' <<<"${found:-.Close(}"
}

# lint runs the linters over packages of a module.
lint() {
  local folder=$1
  shift
  check "$folder" go vet "$@"
  check "$folder" "$tools/staticcheck" "$@" # staticcheck.conf has the rules and their reasons
  check "$folder" errors "$@"
  check "$folder" "$tools/unparam" "$@" # a parameter that is always the same, a result that nobody reads
}
# What a linter needs is compiled by the tests, too: with LINT_RACE by those of `make test`, else by those of `make check`.
if [[ -n ${LINT_RACE-} ]]; then
  CGO_ENABLED=1 GOFLAGS="${GOFLAGS-} ${race[*]}" lint . $(race_packages)
  lint . $(plain_packages)
  CGO_ENABLED=1 GOFLAGS="${GOFLAGS-} -race" lint bench ./...
else
  lint . ./...
  lint bench ./...
fi
for module in deploy/check release; do lint "$module" ./...; done

# biome.jsonc has the rules of the pages and of their library.
scripts/packages.sh && check web-example npm run --silent lint || failed=yes
check clients/js ../../web-example/node_modules/.bin/biome lint --error-on-warnings
[[ -z $failed ]]
