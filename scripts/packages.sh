#!/usr/bin/env bash
# Installs the packages of web-example, unless those of its lock file are there, and @holdfast/client, which is built
# and packed in clients/js. With FRESH, set by CI, all of it is fetched into an empty cache and an empty home, as on a new
# machine, and a warning of npm is an error: it is the first that a new user would see.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
"$here/tools.sh" node

fetch() {
  if [[ -z ${FRESH-} ]]; then
    npm ci --no-audit --no-fund </dev/null
    return
  fi
  # The registry may be configured in the home folder only.
  HOME=$empty npm_config_cache=$empty/npm npm_config_registry=$registry npm ci --no-audit --no-fund </dev/null 2>&1 |
    tee "$empty/said"
  if grep -i '^npm warn' "$empty/said" >/dev/null; then
    echo "npm warns: the packages of $PWD ask for something else than is here." >&2
    exit 1
  fi
}
if [[ -n ${FRESH-} ]]; then
  empty=$(mktemp -d)
  trap 'rm -rf "$empty"' EXIT
  registry=$(npm config get registry)
fi

# A copy of the lock file of what is installed. Times do not count: a checkout may give them any.
install() {
  cd "$here/../$1"
  if ! cmp -s package-lock.json node_modules/.installed-lock.json; then
    fetch
    mkdir -p node_modules # npm makes none if there is nothing to install
    cp package-lock.json node_modules/.installed-lock.json
  fi
}

install clients/js
packed=$PWD/holdfast-client.tgz
sources=$(find src build.mjs package.json package-lock.json tsconfig.json README.md LICENSE -type f -exec cksum {} + | LC_ALL=C sort)
if [[ ! -e $packed ]] || ! cmp -s - dist/.sources <<<"$sources"; then
  npm run --silent build </dev/null
  echo "$sources" >dist/.sources
fi
install web-example
if ! cmp -s "$packed" node_modules/@holdfast/client/.packed.tgz; then npm run --silent client </dev/null; fi
