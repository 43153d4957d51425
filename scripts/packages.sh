#!/usr/bin/env bash
# Installs the packages of web-example, unless those of its lock file are there.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
"$here/tools.sh" node
cd "$here/../web-example"

# A copy of the lock file of what is installed. Times do not count: a checkout may give them any.
if ! cmp -s package-lock.json node_modules/.installed-lock.json; then
  npm ci --no-audit --no-fund </dev/null
  mkdir -p node_modules # npm makes none if there is nothing to install
  cp package-lock.json node_modules/.installed-lock.json
fi
