#!/usr/bin/env bash
# Installs the missing tools that `make test` needs, with Debian's package manager. Silent
# and quick if nothing is missing. If it can't install, it lists what is missing with the
# command to run, and fails: no test is skipped silently.
set -euo pipefail

oldest_postgres=15

# Prints the major version of the newest PostgreSQL server installed; 0 for none.
postgres_version() {
  local newest=0 program version
  for program in /usr/lib/postgresql/*/bin/postgres "$(command -v postgres || true)"; do
    [[ -x $program ]] || continue
    version=$("$program" --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/')
    if ((version > newest)); then newest=$version; fi
  done
  echo "$newest"
}

# The race detector needs a C compiler and the C library's headers.
can_compile() {
  command -v gcc >/dev/null && echo '#include <stdlib.h>' | gcc -E -x c -o /dev/null - 2>/dev/null
}

has_fonts() {
  [[ -n $(find /usr/share/fonts -name '*.[to]tf' -print -quit 2>/dev/null) ]]
}

missing=()
services=() # of the packages that we install
if (($(postgres_version) < oldest_postgres)); then
  missing+=(postgresql)
  services+=(postgresql)
fi
# Debian installs nginx in a folder that only root has on its PATH.
if [[ ! -x /usr/sbin/nginx ]] && ! command -v nginx >/dev/null; then
  missing+=(nginx)
  services+=(nginx)
fi
# The proxies that deploy/ has a file for.
if [[ ! -x /usr/sbin/haproxy ]] && ! command -v haproxy >/dev/null; then
  missing+=(haproxy)
  services+=(haproxy)
fi
if ! command -v caddy >/dev/null; then
  missing+=(caddy)
  services+=(caddy)
fi
if ! command -v redis-server >/dev/null; then
  missing+=(redis-server)
  services+=(redis-server)
fi
# The virus scanner; the tests have signatures of their own.
if [[ ! -x /usr/sbin/clamd ]] && ! command -v clamd >/dev/null; then
  missing+=(clamav-daemon)
  services+=(clamav-daemon)
fi
# Reads the alerts and the dashboard's expressions; promtool comes with it.
if ! command -v prometheus >/dev/null || ! command -v promtool >/dev/null; then
  missing+=(prometheus)
  services+=(prometheus)
fi
command -v git >/dev/null || missing+=(git) # applies the patches of internal/mutants
command -v strace >/dev/null || missing+=(strace) # sees that what is acknowledged was flushed before
command -v rclone >/dev/null || missing+=(rclone) # copies buckets for a backup
# The browser, and the one without windows, which needs two thirds of the processor: all tests pass without it, too.
command -v chromium >/dev/null || missing+=(chromium chromium-headless-shell)
has_fonts || missing+=(fonts-dejavu-core) # without one, chromium draws boxes for letters
command -v curl >/dev/null || missing+=(curl)
command -v wget >/dev/null || missing+=(wget)
command -v aria2c >/dev/null || missing+=(aria2)
command -v systemd-analyze >/dev/null || missing+=(systemd) # reads the unit in deploy/; nothing is started
command -v ffmpeg >/dev/null || missing+=(ffmpeg) # makes the film that Chromium plays
python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv) # for the clients of docs/CLIENTS.md
can_compile || missing+=(gcc libc6-dev)

if ((${#missing[@]} == 0)); then exit 0; fi

as_root=()
if ((EUID != 0)); then as_root=(sudo -n); fi

# The packages must not start their servers: the tests start their own. A policy-rc.d that
# exists already is the administrator's decision, and is left alone.
policy=/usr/sbin/policy-rc.d
ours=
forget_policy() {
  if [[ -n $ours ]]; then "${as_root[@]}" rm -f "$policy"; fi
}
trap forget_policy EXIT

explain() {
  {
    echo "Missing for the tests: ${missing[*]}"
    echo "$1 Please run, as root:"
    echo "    apt-get update && apt-get install --no-install-recommends ${missing[*]}"
    echo "(PostgreSQL $oldest_postgres or newer; on another system: its own packages of these.)"
  } >&2
  exit 1
}

command -v apt-get >/dev/null || explain "There is no apt-get here to install them."
if ((EUID != 0)) && ! sudo -n true 2>/dev/null; then
  explain "Only root can install them, and sudo would ask for a password."
fi

echo "Installing for the tests: ${missing[*]}"
if [[ ! -e $policy ]]; then
  ours=yes
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
  "${as_root[@]}" chmod 755 "$policy"
fi

# Another apt may be running, for instance a new machine's first update: wait for it.
apt() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get --quiet --yes -o DPkg::Lock::Timeout=300 "$@" </dev/null
}
apt update || explain "apt-get update failed."
apt install --no-install-recommends "${missing[@]}" || explain "apt-get install failed."

# Nor when the machine starts next time.
if [[ -d /run/systemd/system ]] && ((${#services[@]} > 0)); then
  "${as_root[@]}" systemctl disable --now "${services[@]}" || true
fi

if (($(postgres_version) < oldest_postgres)); then
  echo "This Debian has PostgreSQL $(postgres_version); $oldest_postgres or newer is needed (Debian 12)." >&2
  exit 1
fi
