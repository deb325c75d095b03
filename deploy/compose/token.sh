#!/bin/sh
# Makes the token of the workers' health endpoint once: they listen beyond loopback, for Prometheus and the page.
set -eu
file=${1:-/run/liqmon/health-token}
[ -s "$file" ] && exit 0
umask 022
"${PYTHON:-/opt/liqmon/bin/python}" -c "import secrets; print(secrets.token_hex(24))" >"$file.part"
mv "$file.part" "$file"
