#!/bin/sh
# serve.sh lab|server ARGUMENTS…: Jupyter with the extension, in LAB_DIR.
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"
jupyter="$PWD/.venv/bin/jupyter"
command=$1
shift
directory="${LAB_DIR:-$HOME/cognition}"

if ! sh scripts/engine.sh; then
    have bwrap || apt_install bubblewrap ||
        die "Without Docker, sessions need bubblewrap: install the package bubblewrap."
    warn "sessions run in bubblewrap sandboxes, without limits on memory and CPU."
fi
if is_root; then set -- --allow-root "$@"; fi
mkdir -p "$directory"
cd "$directory" || exit
say "Projects are kept below $directory"
exec "$jupyter" "$command" "$@"
