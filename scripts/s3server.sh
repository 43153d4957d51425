#!/usr/bin/env bash
# Builds versitygw, the S3 server of `make run STORE=s3` and of the browser tests, and says where it is.
set -euo pipefail
cd "$(dirname "$0")/.."
server=$PWD/.cache/versitygw
mkdir -p .cache
(cd internal/test/s3server && CGO_ENABLED=0 go build -ldflags='-s -w' -o "$server" github.com/versity/versitygw/cmd/versitygw) >&2
echo "$server"
