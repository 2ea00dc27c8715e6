#!/bin/sh
# Start a judge only where it can hold what it judges: without user namespaces it would run
# strangers' code beside its own key.
set -eu
if ! bwrap --unshare-user --disable-userns --unshare-pid --unshare-net \
  --ro-bind / / --proc /proc --dev /dev -- true; then
  echo "no sandbox here: bubblewrap needs user namespaces and an unmasked /proc; see docs/deploy.md" >&2
  exit 78
fi
exec dougong worker "$@"
