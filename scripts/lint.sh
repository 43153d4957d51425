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

# Always the same program, whatever folder it is compiled in: Go keeps the results by what it is.
CGO_ENABLED=0 go build -C scripts/lint -trimpath -buildvcs=false -o "$tools" . mvdan.cc/unparam </dev/null || exit 1

formatted() {
  local files
  files=$(find . -name node_modules -prune -o -name '*.go' -print0 | xargs -0 gofmt -l)
  [[ -z $files ]] || { echo "gofmt would change:"; echo "$files"; return 1; }
}
check . formatted .

# The rules of staticcheck that are off, as flags.
mapfile -t rules < <(sed -n 's/^ *"-\([A-Z]*[0-9]*\)".*/-\1=false/p' staticcheck.conf)

# lint runs the linters over the packages of a module.
lint() {
  local folder=$1
  check "$folder" go vet -vettool="$tools/lint" "${rules[@]}" ./... # vet, staticcheck, errcheck: scripts/lint/main.go
  check "$folder" "$tools/unparam" ./... # a parameter that is always the same, a result that nobody reads
}
# What a linter needs is compiled by the tests, too: with LINT_RACE by those of `make test`, else by those of `make check`.
if [[ -n ${LINT_RACE-} ]]; then
  CGO_ENABLED=1 GOFLAGS="${GOFLAGS-} ${race[*]}" lint .
  CGO_ENABLED=1 GOFLAGS="${GOFLAGS-} -race" lint bench
else
  for module in . bench; do lint "$module"; done
fi
for module in deploy/check release scripts/lint; do lint "$module"; done
check scripts/lint env CGO_ENABLED=0 go test -vet=off . # does it find anything?

# biome.jsonc has the rules of the pages and of their library.
scripts/packages.sh && check web-example npm run --silent lint || failed=yes
check clients/js ../../web-example/node_modules/.bin/biome lint --error-on-warnings
[[ -z $failed ]]
