#!/bin/sh
# Make .venv with the pinned, hashed packages and the project itself, then fetch Apache Kafka's jars.
# Called by `make setup`. What is there already is not fetched again, so a second run needs no network.
set -eu
cd "$(dirname "$0")/.."
venv=.venv
log=$venv/setup.log

fail() { # cause, remedy
    printf 'setup: %s; %s\n' "$1" "$2" >&2
    exit 1
}

find_python() {
    # 3.11 first: the lock is resolved for it.
    for name in ${PYTHON:-python3.11 python3 python3.12 python3.13 python3.14}; do
        path=$(command -v "$name" 2>/dev/null) || continue
        if "$path" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            printf '%s\n' "$path"
            return
        fi
    done
    fail "no Python 3.11 or later on PATH" "install it (Debian: python3 python3-venv), or name one with PYTHON="
}

make_venv() {
    # Scripts in it and the link to the project hold absolute paths: a moved checkout needs a new one.
    if [ -f $venv/setup.path ] && [ "$(cat $venv/setup.path)" != "$PWD" ]; then rm -rf $venv; fi
    # pip comes last, so a half-made one has none.
    [ -x $venv/bin/python ] && [ -x $venv/bin/pip ] && return
    python=$(find_python)
    printf 'setup: making %s with %s\n' $venv "$python"
    error=$("$python" -m venv $venv 2>&1) ||
        fail "$python cannot make a virtual environment" "install its venv module (Debian: python3-venv)"
}

install_packages() {
    # The digest and not the time: a fresh checkout touches files without changing them.
    wanted=$(cat requirements/dev.txt pyproject.toml requirements/install.sh | cksum)
    [ "$(cat $venv/setup.done 2>/dev/null)" = "$wanted" ] && return
    printf 'setup: installing the pinned packages (log: %s)\n' $log
    pip="$venv/bin/python -m pip --disable-pip-version-check --no-input"
    # Two retries: without a network the default of five is a minute of silence.
    $pip install --retries 2 --require-hashes --no-deps --only-binary :all: -r requirements/dev.txt >$log 2>&1 ||
        fail "pip could not install the pinned packages ($(reason))" \
            "connect to the network and run make setup again, or read $log"
    $pip install --no-index --no-deps --no-build-isolation -e . >>$log 2>&1 ||
        fail "pip could not install the project itself ($(reason))" "read $log"
    printf '%s' "$PWD" >$venv/setup.path
    printf '%s' "$wanted" >$venv/setup.done
}

reason() {
    grep -E '^ *(ERROR|error)' $log | tail -n 1 | cut -c 1-160
}

fetch_broker() {
    if [ -n "${BROKER_URL:-}" ] || [ "${LIQMON_LOCAL_BROKER:-}" = tansu ]; then return; fi
    if ! command -v java >/dev/null 2>&1 && [ -z "${JAVA_HOME:-}" ]; then
        embedded java
    elif command -v mvn >/dev/null 2>&1; then
        $venv/bin/liqmon broker fetch >/dev/null
    else
        $venv/bin/liqmon broker fetch >/dev/null 2>&1 || embedded mvn
    fi
}

embedded() { # program that is missing
    # Not an error: it came with the packages.
    printf 'setup: there is no %s: demo and tests will use the embedded Kafka-compatible broker (Tansu), ' "$1"
    printf 'in memory, not durable; tests that need Apache Kafka are not run\n'
}

make_venv
install_packages
fetch_broker
