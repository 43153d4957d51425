#!/usr/bin/env bash
# Has schemathesis send the real program requests that its description (/openapi.json) allows and
# forbids: no response may be a 5xx, or other than described. api-fuzz.sh [EXAMPLES], 30 for each
# operation by default. Always the same requests: the seed is fixed (SEED=... for others).
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD

version=4.32.5
examples=${1:-30}
seed=${SEED:-1}
venv=$root/.cache/schemathesis-$version

python=$(command -v python3 || true)
if [[ -z $python ]] || ! "$python" -c 'import sys, venv; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
  echo "Python 3.10 or newer, with its venv module, is needed for this and nothing else (apt-get install python3-venv)." >&2
  exit 1
fi
if [[ ! -e $venv/complete ]]; then
  "$python" -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$version"
  touch "$venv/complete"
fi
[[ -x holdfast ]] || { echo "holdfast is missing: make build" >&2; exit 1; }

data=$(mktemp -d)
holdfast=
end() {
  if [[ -n $holdfast ]]; then
    kill "$holdfast" 2>/dev/null || true
    wait "$holdfast" || true
  fi
  rm -rf "$data"
}
trap end EXIT
CONFIG=Testing HOST=127.0.0.1 PORT=0 DATA_DIR=$data ADMIN_ADDR=off EXAMPLE_DIR=$data/none "$root/holdfast" serve >"$data/said" 2>"$data/log" &
holdfast=$!
for _ in {1..600}; do
  grep -q '^  token ' "$data/said" && break
  kill -0 "$holdfast" 2>/dev/null || { cat "$data/log" >&2; exit 1; }
  sleep 0.1
done
base=$(sed -n 's|^  uploads *\(.*\)/tus/$|\1|p' "$data/said")
token=$(sed -n 's/^  token *\([^ ]*\).*/\1/p' "$data/said")

status=0
cd "$data" # where it keeps what it found, and would begin with the next time
BASE=$base TOKEN=$token SCHEMATHESIS_HOOKS=$root/scripts/api-fuzz.py "$venv/bin/st" --config-file "$root/scripts/api-fuzz.toml" run "${base%/files}/openapi.json" \
  --header "Authorization: Bearer $token" --max-examples "$examples" --seed "$seed" --continue-on-failure --no-color </dev/null || status=$?
# An error in the log counts even if schemathesis accepted the response.
if grep -E 'level=ERROR|panic:|DATA RACE' "$data/log"; then
  echo "The service's log has the errors above." >&2
  status=1
fi
exit "$status"
