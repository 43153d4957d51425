#!/usr/bin/env bash
# Prints the path of a Python that has the libraries of a list: python.sh [LIST]. By default those of docs/CLIENTS.md.
# Creates it first, in .cache, if it is missing or older than the list. With FRESH, set by CI, pip reads no cache: all is
# fetched, as on a new machine.
set -euo pipefail
cd "$(dirname "$0")/.."
list=${1:-internal/doctest/testdata/python.txt}
home=$PWD/.cache/$(basename "$list" .txt)
pip=$PWD/.cache/pip

# One pip installs for all: to unpack and compile another takes longer than most lists. Where two are made at the same
# time, one of them is kept.
provide_pip() {
  if [[ -e $pip ]]; then return; fi
  mkdir -p .cache
  local new
  new=$(mktemp -d "$pip.XXXXXX")
  python3 -m venv "$new" >&2
  [[ -e $pip ]] || mv "$new" "$pip"
  rm -rf "$new"
}

if [[ ! -e $home/complete || $list -nt $home/complete ]]; then
  if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    echo "Python is missing, or its venv: install Python 3.10 or newer (Debian: apt-get install python3-venv)." >&2
    exit 1
  fi
  provide_pip
  rm -rf "$home"
  python3 -m venv --without-pip "$home" >&2
  # A list names all that it needs, so that there is nothing to be resolved; check says what it lacks. Not compiled:
  # Python compiles what is imported, which is a small part.
  if [[ -n ${FRESH-} ]]; then export PIP_NO_CACHE_DIR=1; fi
  export PYTHONPATH; PYTHONPATH=$(echo "$pip"/lib/python3*/site-packages)
  "$home/bin/python" -m pip install --quiet --no-deps --no-compile --disable-pip-version-check -r "$list" >&2
  "$home/bin/python" -m pip check --disable-pip-version-check >&2
  touch "$home/complete"
fi
echo "$home/bin/python"
