#!/bin/sh
# The Docker engine answers and the session image is there. Status 1 and a sentence if that can't be.
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"
LOG=/var/log/dockerd.log

answers() { timeout 10 docker version >/dev/null 2>&1; }

wait_for_engine() {
    for _ in $(seq 60); do
        if answers; then return 0; fi
        sleep 0.5
    done
    return 1
}

# starting: a dockerd runs that does not answer yet, perhaps started by its package just now
starting() { pid=$(cat /var/run/docker.pid 2>/dev/null) && kill -0 "$pid" 2>/dev/null; }

start_engine() {
    if ! have dockerd || ! have iptables || ! have docker; then
        # Newer Debians have the client in a package of its own.
        client=$(apt-cache search --names-only '^docker-cli$' 2>/dev/null | cut -d' ' -f1)
        # shellcheck disable=SC2086 # nothing or one word
        apt_install docker.io iptables $client || return 1
    fi
    if starting; then
        say "Waiting for the Docker engine"
    elif [ -d /run/systemd/system ]; then
        systemctl start docker >&2 || return 1
    else
        say "Starting the Docker engine (log: $LOG)"
        # Detached, without our files: whoever reads our output must see its end.
        setsid dockerd >>"$LOG" 2>&1 </dev/null 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- &
    fi
    wait_for_engine
}

if ! answers; then
    case "$DOCKER_HOST" in
        unix:///var/run/docker.sock | unix:///run/docker.sock) ours=true ;;
        *) ours=false ;;
    esac
    if ! is_root || ! $ours; then
        have docker || die "The docker command is missing: install Docker."
        die "No Docker engine answers at $DOCKER_HOST, or it does not let you in (group docker)."
    fi
    start_engine || die "No Docker engine answers and none could be started (see $LOG)."
fi
exec sh scripts/image.sh
