#!/usr/bin/env bash
# Builds the example page (web-example/dist) if it is missing or older than its sources.
# With --optional a failed build is a warning: the service runs without the page.
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
  # A build without changes may keep the old times, and would be repeated each time.
  touch dist/index.html
}

if current || build; then exit 0; fi
if [[ ${1-} == --optional ]]; then
  echo "The example page could not be built (see above): the service starts without it." >&2
  exit 0
fi
exit 1
