#!/usr/bin/env bash
# Installs the packages of web-example, unless those of its lock file are there, and @holdfast/client, which is built
# and packed in clients/js.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
"$here/tools.sh" node

# A copy of the lock file of what is installed. Times do not count: a checkout may give them any.
install() {
  cd "$here/../$1"
  if ! cmp -s package-lock.json node_modules/.installed-lock.json; then
    npm ci --no-audit --no-fund </dev/null
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
