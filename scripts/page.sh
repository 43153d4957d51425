#!/usr/bin/env bash
# Builds the example page (web-example/dist), unless it was built from these sources. Times do not count: a checkout may
# give them any. dist/.sources has the checksums of what it was built from.
# With --optional a failed build is a warning: the service runs without the page.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../web-example"

sources() {
  find . ../clients/js \( -name node_modules -o -name dist -o -name test -o -name test-results \) -prune -o -type f ! -name '*.tgz' -exec cksum {} + |
    LC_ALL=C sort
}

current() { [[ -e dist/index.html ]] && sources | cmp -s - dist/.sources; }

build() {
  "$here/packages.sh" || return
  local of
  of=$(sources) # before the build: what changes meanwhile may not be in it
  npm run build </dev/null || return
  echo "$of" >dist/.sources
}

if current || build; then exit 0; fi
if [[ ${1-} == --optional ]]; then
  echo "The example page could not be built (see above): the service starts without it." >&2
  exit 0
fi
exit 1
