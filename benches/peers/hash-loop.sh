#!/usr/bin/env bash
# Fetches every blob of an image with curl and hashes it in a pipe, on all cores at once.
# usage: hash-loop.sh http://host:port name tag "sha256sum"
set -euo pipefail
export api="$1/v2/$2" hash="$4"
types="application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json"

one() {
    got=$(curl -fsS "$api/blobs/$1" | $hash | grep -oE '[0-9a-f]{64}')
    [ "sha256:$got" = "$1" ] || { echo "$1: got $got" >&2; exit 255; }
}
export -f one

index=$(curl -fsS -H "Accept: $types" "$api/manifests/$3")
for child in $(jq -r '.manifests[].digest' <<<"$index"); do
    curl -fsS -H "Accept: $types" "$api/manifests/$child" | jq -r '.config.digest, .layers[].digest'
done | sort -u | xargs -P "$(nproc)" -I{} bash -c 'one {}'
