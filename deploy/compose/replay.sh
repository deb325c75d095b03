#!/bin/sh
# The replayer of docker-compose.yml: plays the files in FILES, or a generated crash, and ends.
set -eu
liqmon() { "${PYTHON:-/opt/liqmon/bin/python}" -m monitor "$@"; }
files=${FILES:-/data}
work=${WORK:-/tmp}
if [ -z "$(ls -A "$files" 2>/dev/null)" ]; then
    files=$work/market.jsonl
    liqmon generate market --seed "${SEED:-7}" --minutes "${MINUTES:-60}" --out "$files"
fi
liqmon generate accounts "$files" --seed "${SEED:-7}" --accounts "${ACCOUNTS:-400}" --out "$work/accounts.jsonl"
liqmon replay "$files" --accounts "$work/accounts.jsonl" --to topics --speed "${SPEED:-1x}"
