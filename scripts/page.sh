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
  "$here/packages.sh" || return
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
