#!/bin/sh
# The same rebuild by hand: start the target workflow (woodpecker-rebuild-target.yaml), follow
# it, and exit with 0 if it succeeded, 5 if no pipeline was started, 6 if it failed, and 7 if it
# takes longer than wait_timeout.
set -eu

# From Woodpecker: user settings, CLI & API. In a file or the environment, never on the command line.
PLUGIN_WOODPECKER_TOKEN=$(cat "${WOODPECKER_TOKEN_FILE:?the file with the personal access token}")
export PLUGIN_WOODPECKER_TOKEN

exec pullproof rebuild \
  --woodpecker-url https://ci.example \
  --woodpecker-repo team/app@main \
  --variables REBUILD=app \
  --workflow rebuild
