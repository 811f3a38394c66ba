#!/bin/sh
# The same rebuild by hand: starts the target workflow (woodpecker-rebuild-target.yaml), follows it, and ends with 0 when
# it succeeded, 5 when no pipeline was started, 6 when it failed, 7 when it takes longer than wait_timeout.
set -eu

# Woodpecker: user settings, CLI & API. In a file or the environment, never on the command line.
PLUGIN_WOODPECKER_TOKEN=$(cat "${WOODPECKER_TOKEN_FILE:?the file with the personal access token}")
export PLUGIN_WOODPECKER_TOKEN

exec pullproof rebuild \
  --woodpecker-url https://ci.example \
  --woodpecker-repo team/app@main \
  --variables REBUILD=app \
  --workflow rebuild
