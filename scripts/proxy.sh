#!/bin/sh
# configurable-http-proxy, which JupyterHub needs. Prints the path of the command. Installed once and
# kept outside the checkout.
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"
key=$(cat scripts/proxy/package-lock.json scripts/proxy.sh | hash_of)-$(uname -m)
kept="$CACHE/proxy-$key"
command="$kept/node_modules/.bin/configurable-http-proxy"
if [ ! -x "$command" ]; then
    if ! have node || ! have npm; then
        die "Node.js with npm is missing: install version 20 or newer for JupyterHub's proxy."
    fi
    say "Installing configurable-http-proxy"
    mkdir -p "$CACHE"
    rm -rf "$kept.$$"
    cp -R scripts/proxy "$kept.$$"
    (cd "$kept.$$" && npm ci --no-audit --no-fund --loglevel=error) >&2
    mv -T "$kept.$$" "$kept" 2>/dev/null || rm -rf "$kept.$$" # another run was quicker
fi
echo "$command"
