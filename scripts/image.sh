#!/bin/sh
# The session image, built unless it is there already. BASE names the image to build on.
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"
LABEL=cognition.build-key
TITLE="org.opencontainers.image.title=Cognition for Jupyter: session"
image=$($VENV_PYTHON -c 'from cognition_jupyter.kernels.policy import DEFAULT_IMAGE as i; print(i)')
key=$({
    cat cognition_jupyter/image/Dockerfile cognition_jupyter/image/requirements.txt
    cat scripts/image.sh scripts/wheels.sh scripts/base.sh
    echo "${BASE:-}"
} | hash_of)

if [ "$(label_of "$image" "$LABEL")" = "$key" ]; then exit 0; fi

base=$(base_image)
# shellcheck disable=SC2046 # a word for each requirement
wheels=$(sh scripts/wheels.sh "$base" $(grep -v '^#' cognition_jupyter/image/requirements.txt))

say "Building $image on $base"
$VENV_PYTHON -m cognition_jupyter.cli image build \
    --base "$base" --wheels "$wheels" --tag "$image" --label "$LABEL=$key" >&2
# What builds left without a name; not of the last hour, when another build may be at work.
docker image prune --force --filter "label=$TITLE" --filter until=1h >/dev/null
