#!/usr/bin/env bash
# Checks every tag of some repositories as teams do it by hand: with curl and jq.
# usage: curl-audit.sh http://host:port name...
set -euo pipefail
url=$1
shift

for name in "$@"; do
    for tag in $(curl -fsS "$url/v2/$name/tags/list" | jq -r '.tags[]'); do
        "$(dirname "$0")/head-loop.sh" "$url" "$name" "$tag"
    done
done
