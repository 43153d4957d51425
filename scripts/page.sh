#!/usr/bin/env bash
# Builds the example page (web-example/dist) if it is missing or older than its
# sources. With --optional a page that can't be built is told and is no failure: the
# service runs without it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../web-example"

current() {
  [[ -e dist/index.html ]] &&
    [[ -z $(find . \( -name node_modules -o -name dist -o -name test -o -name test-results \) -prune -o \
      -type f -newer dist/index.html -print -quit) ]]
}

build() {
  "$here/tools.sh" node || return
  # npm notes here what it installed; an older note means that the lock file changed.
  if [[ ! -e node_modules/.package-lock.json || package-lock.json -nt node_modules/.package-lock.json ]]; then
    npm ci --no-audit --no-fund </dev/null || return
  fi
  npm run build </dev/null || return
  # A build that changed nothing may keep the old times; then it would be built again and again.
  touch dist/index.html
}

if current || build; then exit 0; fi
if [[ ${1-} == --optional ]]; then
  echo "The example page could not be built (see above): the service starts without it." >&2
  exit 0
fi
exit 1
