#!/usr/bin/env bash
# Installs the packages of web-example, unless those of its lock file are there.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
"$here/tools.sh" node
cd "$here/../web-example"

# npm writes here what it installed; an older file means that the lock file changed.
if [[ ! -e node_modules/.package-lock.json || package-lock.json -nt node_modules/.package-lock.json ]]; then
  npm ci --no-audit --no-fund </dev/null
fi
