#!/usr/bin/env bash
# Prints the path of a Python that has the libraries of a list: python.sh [LIST]. By default those of docs/CLIENTS.md.
# Creates it first, in .cache, if it is missing or older than the list.
set -euo pipefail
cd "$(dirname "$0")/.."
list=${1:-internal/doctest/testdata/python.txt}
home=$PWD/.cache/$(basename "$list" .txt)

if [[ ! -e $home/complete || $list -nt $home/complete ]]; then
  if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    echo "Python is missing, or its venv: install Python 3.10 or newer (Debian: apt-get install python3-venv)." >&2
    exit 1
  fi
  rm -rf "$home"
  python3 -m venv "$home" >&2
  "$home/bin/python" -m pip install --quiet --disable-pip-version-check -r "$list" >&2
  touch "$home/complete"
fi
echo "$home/bin/python"
