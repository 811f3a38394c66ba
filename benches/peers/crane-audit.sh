#!/usr/bin/env bash
# Checks every tag of some repositories with crane.
# usage: crane-audit.sh crane host:port name...
set -euo pipefail
crane=$1 host=$2
shift 2

for name in "$@"; do
    for tag in $("$crane" ls "$host/$name"); do
        "$crane" validate --fast --remote "$host/$name:$tag"
    done
done
