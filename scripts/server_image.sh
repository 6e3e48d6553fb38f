#!/bin/sh
# The image of a user's server, examples/jupyterhub/dockerspawner, from this checkout: built unless
# it is there already, its id printed. BASE names the image to build on. Needs `make engine`.
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"
LABEL=cognition.build-key
TITLE="org.opencontainers.image.title=Cognition for Jupyter: server"
EXAMPLE=examples/jupyterhub/dockerspawner
image=cognition-jupyter-server

# Everything that the wheel is made of. Its version stands in the package.
sources() {
    cat pyproject.toml PYPI.md LICENSE
    find cognition_jupyter labextension jupyter-config \
        \( -name node_modules -o -name lib -o -name coverage -o -name __pycache__ \
        -o -path cognition_jupyter/labextension \) -prune -o \
        -type f ! -name '*.tsbuildinfo' -print | LC_ALL=C sort | while read -r file; do
        echo "$file"
        cat "$file"
    done
}

package=$(sources | hash_of)
key=$({
    echo "$package"
    cat $EXAMPLE/Dockerfile $EXAMPLE/requirements.txt $EXAMPLE/jupyter_*_config.py
    cat scripts/server_image.sh scripts/wheels.sh scripts/base.sh
    echo "${BASE:-}"
} | hash_of)
# One at a time: whoever waits finds it made.
mkdir -p "$CACHE"
exec 9>"$CACHE/server-image.lock"
flock 9

id_of() { docker image inspect --format '{{.Id}}' "$1"; }

if [ "$(label_of "$image" "$LABEL")" = "$key" ]; then
    id_of "$image"
    exit 0
fi

base=$(base_image)
kept="$CACHE/package-$package"
if [ ! -d "$kept" ]; then
    say "Building the wheel"
    rm -rf "$kept.$$"
    $VENV_PYTHON -m pip wheel -qq --disable-pip-version-check --no-deps --wheel-dir "$kept.$$" . >&2
    mv -T "$kept.$$" "$kept" 2>/dev/null || rm -rf "$kept.$$"
    # Of older sources: nobody needs them any more.
    find "$CACHE" -maxdepth 1 -name 'package-*' -mtime +7 -exec rm -rf {} +
fi
needs=$($VENV_PYTHON - <<'PY'
from importlib.metadata import requires
print(*(r.replace(" ", "") for r in requires("cognition-jupyter") if "extra ==" not in r))
PY
)
# shellcheck disable=SC2086 # a word for each requirement
wheels=$(sh scripts/wheels.sh "$base" $needs $(grep -v '^#' $EXAMPLE/requirements.txt))

say "Building $image on $base"
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
cp $EXAMPLE/Dockerfile $EXAMPLE/requirements.txt $EXAMPLE/jupyter_*_config.py "$context"
cp -rL "$wheels" "$context/wheels"
cp -r "$kept" "$context/package"
log=$(mktemp)
if ! docker build --quiet --network host --build-arg "BASE=$base" --label "$LABEL=$key" \
    --tag "$image" "$context" >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    die "The image $image was not built."
fi
rm -f "$log"
id_of "$image"
# What builds left without a name; not of the last hour, when somebody may still use it.
docker image prune --force --filter "label=$TITLE" --filter until=1h >/dev/null
