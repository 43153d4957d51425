#!/usr/bin/env bash
# Checks that everything can be fetched on a new machine. Fetches what the Go modules, the linters and the page are made of
# into empty caches and an empty home, and runs the tests that read a fetched module. On a machine that
# was worked on, the caches hide a missing dependency. Takes about a minute, most of it for the network.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/tools.sh go
scripts/tools.sh node

empty=$(mktemp -d)
modules=$empty/go
# In memory, where there is room: a gigabyte in many small files, of which a disk takes long to forget.
room=$(df --output=avail --block-size=1G /dev/shm 2>"$empty/said" | tail -n 1) || room=0
if ((room >= 4)) && [[ -w /dev/shm ]]; then modules=$(mktemp -d /dev/shm/holdfast-fresh-XXXXXX); fi
trap 'chmod -R u+w "$empty" "$modules"; rm -rf "$empty" "$modules"' EXIT
mkdir -p "$empty/home" "$empty/page" "$modules"

# Proxies and registries may be configured in the home folder only.
settings=()
for name in GOPROXY GOSUMDB GONOSUMDB GOPRIVATE GOTOOLCHAIN GOFLAGS; do settings+=("$name=$(go env "$name")"); done
settings+=("npm_config_registry=$(npm config get registry)" "npm_config_cache=$empty/npm")
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

# scripts/deps.sh installs Python where it is missing.
if python3 -c 'import ensurepip, venv' 2>"$empty/said"; then
  python3 -m venv "$empty/python"
  pip=$empty/python/bin/pip
  if index=$("$pip" config get global.index-url 2>"$empty/said"); then settings+=("PIP_INDEX_URL=$index"); fi
  for list in internal/doctest/testdata/python.txt clients/django/requirements-{test,oldest}.txt; do
    step . "$pip" download --quiet --no-deps --disable-pip-version-check --cache-dir "$empty/pip" --dest "$empty/wheels" -r "$list"
  done
else
  echo "Python or its venv is missing: whether its packages can be fetched is not checked." >&2
fi

for folder in clients/js web-example; do
  rm -rf "$empty/page"
  mkdir "$empty/page"
  cp "$folder"/{package.json,package-lock.json,.npmrc} "$empty/page"
  step "$empty/page" npm ci 2>&1 | tee "$empty/said"
  if grep -i '^npm warn' "$empty/said" >/dev/null; then
    echo "npm warns: the packages of $folder ask for something else than is here." >&2
    exit 1
  fi
done
