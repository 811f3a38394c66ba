#!/bin/sh
# Prove it from any machine with Docker, or any CI system that can run a container: the exit code is the verdict.
set -eu

# A login as two variables of this shell, handed over by their names: a password on a command line can be read by others.
export PLUGIN_REGISTRY=registry.example PLUGIN_USERNAME=ci
PLUGIN_PASSWORD=$(cat "${REGISTRY_PASSWORD_FILE:?the file with the password}")
export PLUGIN_PASSWORD

docker run --rm --env PLUGIN_REGISTRY --env PLUGIN_USERNAME --env PLUGIN_PASSWORD \
  ghcr.io/pullproof/pullproof verify registry.example/team/app:latest --platforms linux/amd64,linux/arm64

# Or with the logins that this machine's Docker has stored, as long as no credential helper keeps them.
docker run --rm --volume "$HOME/.docker/config.json:/config.json:ro" \
  ghcr.io/pullproof/pullproof verify registry.example/team/app:latest --docker-config /config.json

# Or as a stranger: is what should be public, public?
docker run --rm ghcr.io/pullproof/pullproof verify ghcr.io/example/app:latest --anonymous
