#!/bin/sh
# wheels.sh BASE REQUIREMENT…: a directory with wheels of these and all they need, for the Python of
# the image BASE. Its name is printed. Made once and kept.
#
# They come from this machine's pip, which knows the index, the proxy and the certificates to use.
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"
base=$1
shift
version=$(docker run --rm --network none --entrypoint python3 "$base" \
    -c 'import sys; print("%d.%d" % sys.version_info[:2])')
machine=$(uname -m)
wheels="$CACHE/wheels-$({ cat scripts/wheels.sh; printf '%s\n' "$@"; } | hash_of)-$version-$machine"
if [ ! -d "$wheels" ]; then
    say "Downloading wheels for Python $version"
    mkdir -p "$CACHE"
    rm -rf "$wheels.$$"
    # pip decides for its own Python which backports are needed, so they are named here.
    $VENV_PYTHON -m pip download -qq --disable-pip-version-check --dest "$wheels.$$" \
        --only-binary=:all: --implementation cp --python-version "$version" \
        --platform "manylinux_2_28_$machine" --platform "manylinux_2_26_$machine" \
        --platform "manylinux_2_17_$machine" --platform "manylinux2014_$machine" \
        "$@" typing_extensions exceptiongroup tomli >&2
    mv -T "$wheels.$$" "$wheels" 2>/dev/null || rm -rf "$wheels.$$" # another run was quicker
fi
echo "$wheels"
