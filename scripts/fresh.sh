#!/usr/bin/env bash
# Checks that everything can be fetched on a new machine: where one was worked on, the caches hide a missing dependency.
#
#   fresh.sh modules  fetches what the Go modules and the linters are made of into an empty cache and an empty home, and
#                     runs the tests that read a fetched module. Takes about a minute, most of it for the network.
#   fresh.sh forget   makes the next steps fetch the packages of the pages and of Python, which they do into empty caches
#                     if FRESH is set (scripts/packages.sh, scripts/python.sh)
set -euo pipefail
cd "$(dirname "$0")/.."
case ${1-} in
forget)
  rm -f {clients/js,web-example}/node_modules/.installed-lock.json web-example/dist/.sources .cache/*/complete
  exit
  ;;
modules) ;;
*)
  echo "fresh.sh modules|forget" >&2
  exit 2
  ;;
esac
scripts/tools.sh go

empty=$(mktemp -d)
modules=$empty/go
# In memory, where there is room: a gigabyte in many small files, of which a disk takes long to forget.
room=$(df --output=avail --block-size=1G /dev/shm 2>"$empty/said" | tail -n 1) || room=0
if ((room >= 4)) && [[ -w /dev/shm ]]; then modules=$(mktemp -d /dev/shm/holdfast-fresh-XXXXXX); fi
trap 'chmod -R u+w "$empty" "$modules"; rm -rf "$empty" "$modules"' EXIT
mkdir -p "$empty/home" "$modules"

# Proxies may be configured in the home folder only.
settings=()
for name in GOPROXY GOSUMDB GONOSUMDB GOPRIVATE GOTOOLCHAIN GOFLAGS; do settings+=("$name=$(go env "$name")"); done
# The build cache is kept, for nothing is to be compiled: that would take minutes, since Go compiles a library again
# where its folder is another one.
settings+=("HOME=$empty/home" "GOPATH=$modules" "GOMODCACHE=$modules/pkg/mod" "GOCACHE=$(go env GOCACHE)" GOENV=off)

step() {
  local folder=$1
  shift
  echo "$folder: $*" >&2
  # Go prints a line for each module it fetches, which would push others out of a log.
  (cd "$folder" && env "${settings[@]}" "$@" </dev/null 2> >(grep -v '^go: downloading ' >&2))
}

# Its tests read a module that no package imports. They are compiled as always, and run where nothing was fetched.
go test -C deploy/check -vet=off -c -o "$empty/check.test" . </dev/null
step deploy/check "$empty/check.test"
for module in . bench deploy/check release; do
  step "$module" go list -deps -test ./... >"$empty/said"
done
step internal/test/s3server go list -deps tool >"$empty/said"

step release go list -deps tool >"$empty/said"
step scripts/lint go list -deps -test ./... tool >"$empty/said"
