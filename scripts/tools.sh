#!/usr/bin/env bash
# Checks that Go or Node is installed and new enough, and says clearly what is missing.
#
#   tools.sh go     Go, as new as go.mod asks
#   tools.sh node   Node and npm, as new as the page's build tools ask
set -euo pipefail
cd "$(dirname "$0")/.."

need_go=1.26
need_node=20.19

# at_least HAVE NEED: is version HAVE as new as NEED?
at_least() { [[ $(printf '%s\n' "$2" "$1" | sort -V | head -n 1) == "$2" ]]; }

fail() {
  echo "$*" >&2
  exit 1
}

case ${1-} in
go)
  command -v go >/dev/null || fail "Go is missing: install Go $need_go or newer (https://go.dev/dl/)."
  # Asked outside of the module first: a Go from before 1.21 can't even read its go.mod.
  # A newer one may fetch the Go that go.mod asks for by itself.
  have=$(cd / && go env GOVERSION)
  if ! at_least "${have#go}" "$need_go"; then
    if ! at_least "${have#go}" 1.21 || ! have=$(go env GOVERSION) || ! at_least "${have#go}" "$need_go"; then
      fail "Go is too old (${have:-it could not fetch a newer one}): install Go $need_go or newer (https://go.dev/dl/)."
    fi
  fi
  ;;
node)
  for program in node npm; do
    command -v "$program" >/dev/null || fail "$program is missing: install Node $need_node or newer, with npm (https://nodejs.org/)."
  done
  have=$(node --version)
  at_least "${have#v}" "$need_node" || fail "Node is too old ($have): install Node $need_node or newer (https://nodejs.org/)."
  ;;
*) fail "usage: tools.sh go|node" ;;
esac
