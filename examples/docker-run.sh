#!/bin/sh
# Check an image from any machine with Docker, or any CI system that can run a container. The exit
# code is the verdict.
set -eu

# With a login in variables, passed by name: other processes can read a command line.
export PLUGIN_REGISTRY=registry.example PLUGIN_USERNAME=ci
PLUGIN_PASSWORD=$(cat "${REGISTRY_PASSWORD_FILE:?the file with the password}")
export PLUGIN_PASSWORD

docker run --rm --env PLUGIN_REGISTRY --env PLUGIN_USERNAME --env PLUGIN_PASSWORD \
  ghcr.io/pullproof/pullproof:0.1.0 verify registry.example/team/app:latest \
  --platforms linux/amd64,linux/arm64

# With the logins that Docker has stored on this machine, unless a credential helper keeps them.
docker run --rm --volume "$HOME/.docker/config.json:/config.json:ro" \
  ghcr.io/pullproof/pullproof:0.1.0 verify registry.example/team/app:latest \
  --docker-config /config.json

# Without a login: is the public image really public?
docker run --rm ghcr.io/pullproof/pullproof:0.1.0 verify ghcr.io/example/app:latest --anonymous
