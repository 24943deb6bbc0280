#!/bin/sh
# Runs the plugin's tool in its box and looks at what it says. $FORGESYTE is the program.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
forgesyte=${FORGESYTE:-forgesyte}

run() {
        "$forgesyte" run --plugins "$here/.." @NAME@ "$@"
}

run greet name=Ada | grep -q 'Hello, Ada!' || { echo "greet name=Ada: no greeting"; exit 1; }

long=$(printf '%0101d' 0)
status=0
run greet name="x$long" >/dev/null 2>&1 || status=$?
[ "$status" -eq 5 ] || { echo "a long name: exit $status, not 5 (declared error)"; exit 1; }
echo "ok"
