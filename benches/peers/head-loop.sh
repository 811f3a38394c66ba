#!/usr/bin/env bash
# The check that teams write by hand: walk the manifests with curl and jq, and ask for every blob with HEAD.
# usage: head-loop.sh http://host:port name tag
set -euo pipefail
api="$1/v2/$2"
types="application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json"

index=$(curl -fsS -H "Accept: $types" "$api/manifests/$3")
for child in $(jq -r '.manifests[].digest' <<<"$index"); do
    manifest=$(curl -fsS -H "Accept: $types" "$api/manifests/$child")
    for blob in $(jq -r '.config.digest, .layers[].digest' <<<"$manifest"); do
        curl -fsSI -o /dev/null "$api/blobs/$blob"
    done
done
