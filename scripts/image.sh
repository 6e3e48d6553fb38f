#!/bin/sh
# The session image, built unless it is there already. BASE names the image to build on.
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"
LABEL=cognition.build-key
TITLE="org.opencontainers.image.title=Cognition for Jupyter: session"
image=$($VENV_PYTHON -c 'from cognition_jupyter.kernels.policy import DEFAULT_IMAGE as i; print(i)')
key=$({
    cat cognition_jupyter/image/Dockerfile cognition_jupyter/image/requirements.txt
    cat scripts/image.sh scripts/base.sh
    echo "${BASE:-}"
} | hash_of)

label_of() { docker image inspect --format "{{index .Config.Labels \"$LABEL\"}}" "$1" 2>/dev/null; }
there() { docker image inspect "$1" >/dev/null 2>&1; }
# Bounded, because some networks swallow what they don't let through.
pulled() { timeout 60 docker pull --quiet "$1" >/dev/null 2>&1 </dev/null; }

if [ "$(label_of "$image")" = "$key" ]; then exit 0; fi

base="${BASE:-python:3.12-slim}"
if ! there "$base" && ! pulled "$base"; then
    [ -z "${BASE:-}" ] || die "The image $BASE is not on the engine and can't be pulled."
    base=$(sh scripts/base.sh)
fi

# Wheels come from this machine's pip, which knows the index, the proxy and the certificates to use.
version=$(docker run --rm --network none --entrypoint python3 "$base" \
    -c 'import sys; print("%d.%d" % sys.version_info[:2])')
machine=$(uname -m)
wheels="$CACHE/wheels-$(hash_of <cognition_jupyter/image/requirements.txt)-$version-$machine"
if [ ! -d "$wheels" ]; then
    say "Downloading wheels for Python $version"
    rm -rf "$wheels.$$"
    # pip decides for its own Python which backports are needed, so they are named here.
    $VENV_PYTHON -m pip download -qq --disable-pip-version-check --dest "$wheels.$$" \
        --only-binary=:all: --implementation cp --python-version "$version" \
        --platform "manylinux_2_28_$machine" --platform "manylinux_2_26_$machine" \
        --platform "manylinux_2_17_$machine" --platform "manylinux2014_$machine" \
        --requirement cognition_jupyter/image/requirements.txt \
        typing_extensions exceptiongroup tomli >&2
    mv -T "$wheels.$$" "$wheels" 2>/dev/null || rm -rf "$wheels.$$" # another run was quicker
fi

say "Building $image on $base"
$VENV_PYTHON -m cognition_jupyter.cli image build \
    --base "$base" --wheels "$wheels" --tag "$image" --label "$LABEL=$key" >&2
# What builds left without a name; not of the last hour, when another build may be at work.
docker image prune --force --filter "label=$TITLE" --filter until=1h >/dev/null
