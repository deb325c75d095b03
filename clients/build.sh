#!/bin/sh
# Build the Go and TypeScript clients where their tools are; called by `make clients`. What was built from the same files
# is not built again, so a second run needs no network. Without tools or network the rest goes on: the tests of that
# client are then listed as not run.
set -u
cd "$(dirname "$0")"

stale() { # folder, file patterns
    wanted=$(cd "$1" && cat $2 | cksum)
    [ "$(cat "$1/.built" 2>/dev/null)" != "$wanted" ]
}

build_go() {
    command -v go >/dev/null 2>&1 || { echo "clients: there is no go, the Go client is not built"; return; }
    stale go "go.mod go.sum *.go cmd/*/*.go" || return 0
    rm -f go/.built
    if (cd go && go build -buildvcs=false -o bin/ ./cmd/... && go test -count=1 -run '^$' ./...) >go.log 2>&1; then
        printf '%s' "$wanted" >go/.built
        rm go.log
    else
        echo "clients: the Go client was not built ($(tail -n 1 go.log | cut -c 1-160)); see clients/go.log"
    fi
}

build_typescript() {
    command -v npm >/dev/null 2>&1 || { echo "clients: there is no npm, the TypeScript client is not built"; return; }
    stale typescript "package.json package-lock.json tsconfig.json src/*.ts" || return 0
    rm -f typescript/.built
    if (cd typescript && npm ci --no-audit --no-fund && npm run build) >typescript.log 2>&1; then
        printf '%s' "$wanted" >typescript/.built
        rm typescript.log
    else
        echo "clients: the TypeScript client was not built ($(grep -v '^$' typescript.log | tail -n 1 | cut -c 1-160)); see clients/typescript.log"
    fi
}

build_go
build_typescript
