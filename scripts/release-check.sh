#!/usr/bin/env bash
# Checks dist/, which `make release` has made: the same commit is built once more, in other folders and with an empty build
# cache, and must give the same bytes; then the packages are installed, upgraded, run and removed in a bare Debian, the image
# is run in its own root, and the rest is read back. Only root can do that: for chroot, overlays and other users. The bare
# Debian is made once by debootstrap, under .cache, and what is done to it is thrown away.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
dist=$root/dist

fail() {
  echo "release-check: $*" >&2
  exit 1
}
((EUID == 0)) || fail "only root can install packages and change roots."
[[ -e $dist/SHA256SUMS ]] || fail "there is no release to check: make release VERSION=..."
for program in debootstrap systemd-analyze unshare; do
  command -v "$program" >/dev/null || fail "$program is missing (apt-get install debootstrap systemd util-linux)."
done
version=$(basename "$(echo "$dist"/holdfast_*_page.cdx.json)" _page.cdx.json)
version=${version#holdfast_}

bare=$root/.cache/debian
if [[ ! -e $bare.complete ]]; then
  mirror=$({ cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null || true; } |
    awk '/^URIs:/ { print $2; exit } /^deb / { sub(/\[[^]]*\] /, ""); print $2; exit }')
  codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
  rm -rf --one-file-system "$bare"
  mkdir -p "$root/.cache"
  echo "A bare Debian ($codename) is made in .cache: a minute or two."
  debootstrap --variant=minbase "$codename" "$bare" "$mirror" >"$bare.log" 2>&1 || { tail -n 5 "$bare.log" >&2; fail "debootstrap failed."; }
  touch "$bare.complete"
fi

again=$(mktemp -d)
trap 'rm -rf "$again"' EXIT
go build -C release -o "$again/release" .
"$again/release" -version "$version" ${MAINTAINER:+-maintainer "$MAINTAINER"} -fresh -out "$again/dist"
go test -C release -c -o "$again/check" ./check
# A mount namespace of its own: nothing that is mounted stays, whatever happens.
cd release/check
RELEASE_DIST=$dist RELEASE_AGAIN=$again/dist RELEASE_DEBIAN=$bare unshare --mount "$again/check" -test.v -test.timeout 10m </dev/null
