#!/usr/bin/env bash
# Runs the service on an S3 store instead of the embedded one: on versitygw, an S3 server that is built once and runs
# beside it, on loopback. Everything is kept in ./data-s3. Ctrl-C stops the service, and then the server.
set -euo pipefail
cd "$(dirname "$0")/.."
data=$PWD/data-s3
port=${S3_PORT:-7070}

echo "Building the S3 server: the first time takes some minutes."
server=$(scripts/s3server.sh)

umask 077
mkdir -p "$data"/s3/{objects,metadata}
[[ -s $data/s3/secret ]] || head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$data/s3/secret"
secret=$(<"$data/s3/secret")

# In a session of its own: Ctrl-C must not stop it before the service, which still stores what has come.
ROOT_ACCESS_KEY=holdfast ROOT_SECRET_KEY=$secret setsid "$server" --port "127.0.0.1:$port" --quiet \
  posix --sidecar "$data/s3/metadata" "$data/s3/objects" >"$data/s3/log" 2>&1 &
gateway=$!
trap 'kill "$gateway" 2>/dev/null || true; wait "$gateway" || true' EXIT

export STORAGE_TYPE=s3 S3_KIND=versitygw S3_ENDPOINT=http://127.0.0.1:$port S3_REGION=us-east-1 \
  S3_ACCESS_KEY=holdfast S3_SECRET_KEY=$secret DATA_DIR=$data
if [[ ! -s $data/dev-token ]]; then
  ./holdfast token create --user 1 --account 1 --name dev >"$data/dev-token"
fi
for _ in {1..100}; do
  if ! kill -0 "$gateway" 2>/dev/null || (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then break; fi
  sleep 0.1
done
if ! kill -0 "$gateway" 2>/dev/null; then
  cat "$data/s3/log" >&2
  echo "The S3 server did not start. Is port $port free? S3_PORT sets another." >&2
  exit 1
fi
echo "  S3        $S3_ENDPOINT"
echo "  token     $(<"$data/dev-token")   (user 1, account 1)"

# The service gets Ctrl-C by itself, as this script does; a SIGTERM is passed on.
./holdfast serve &
service=$!
trap : INT
trap 'kill -TERM "$service" 2>/dev/null || true' TERM
status=0
while kill -0 "$service" 2>/dev/null; do
  wait "$service" && status=0 || status=$?
done
exit "$status"
