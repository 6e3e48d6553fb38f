#!/bin/sh
# A Debian with Python as the base of the session image, for engines that can't pull one. Prints the
# name it has on the engine. Made once and kept as a tarball.
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"
SUITE=bookworm
PACKAGES=python3,python3-pip,git,ca-certificates
key=$(hash_of <scripts/base.sh)
name="cognition-jupyter-base:$SUITE-$key"
tarball="$CACHE/base-$SUITE-$(uname -m)-$key.tar"

if ! docker image inspect "$name" >/dev/null 2>&1; then
    if [ ! -e "$tarball" ]; then
        have mmdebstrap || apt_install mmdebstrap ||
            die "No base image can be pulled, and mmdebstrap is missing to make one from Debian."
        say "Making a Debian base image (no registry can be reached)"
        mkdir -p "$CACHE"
        log=$(mktemp)
        # Nobody reads manuals in a container.
        if ! mmdebstrap --variant=minbase --include="$PACKAGES" --format=tar \
            --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
            --dpkgopt='path-exclude=/usr/share/locale/*' \
            "$SUITE" "$tarball.$$" >"$log" 2>&1 </dev/null; then
            tail -n 5 "$log" >&2
            rm -f "$log" "$tarball.$$"
            die "mmdebstrap could not make the base image."
        fi
        rm -f "$log"
        mv "$tarball.$$" "$tarball"
    fi
    docker import "$tarball" "$name" >/dev/null
fi
echo "$name"
