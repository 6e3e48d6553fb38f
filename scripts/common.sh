# Sourced by the other scripts, with POSIX sh. Afterwards the current directory is the checkout.
# shellcheck shell=sh disable=SC2034
set -eu
cd "$(dirname "$0")/.."

: "${HOME:=$(getent passwd "$(id -u)" | cut -d: -f6)}"
export HOME
# What is dear to make is kept here, under names that tell what it was made from; may be deleted.
CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/cognition-jupyter"
VENV_PYTHON=.venv/bin/python
# The address that DockerRuntime.base_url defaults to, so that the docker command asks the same engine.
export DOCKER_HOST="${DOCKER_HOST:-unix:///var/run/docker.sock}"

say() { printf '==> %s\n' "$*" >&2; }
warn() { printf 'warning: %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }
is_root() { [ "$(id -u)" = 0 ]; }

# hash_of: 16 hexadecimal digits of what comes on standard input
hash_of() { sha256sum | cut -c1-16; }

# apt_install PACKAGE…: status 1 when that is not ours to do (no root, no apt) or fails
apt_install() {
    is_root && have apt-get || return 1
    say "Installing with apt: $*"
    apt_log=$(mktemp)
    if { apt-get update -q && DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -q --no-install-recommends "$@"; } >"$apt_log" 2>&1 </dev/null; then
        rm -f "$apt_log"
    else
        tail -n 5 "$apt_log" >&2
        rm -f "$apt_log"
        return 1
    fi
}

# label_of IMAGE LABEL: the label's value, empty when there is no such image
label_of() { docker image inspect --format "{{index .Config.Labels \"$2\"}}" "$1" 2>/dev/null; }

# base_image: the image to build on. BASE, else the official Python where it can be had, else ours.
base_image() {
    base="${BASE:-python:3.12-slim}"
    # Bounded, because some networks swallow what they don't let through.
    if docker image inspect "$base" >/dev/null 2>&1 ||
        timeout 60 docker pull --quiet "$base" >/dev/null 2>&1 </dev/null; then
        echo "$base"
    else
        [ -z "${BASE:-}" ] || die "The image $BASE is not on the engine and can't be pulled."
        sh scripts/base.sh
    fi
}
