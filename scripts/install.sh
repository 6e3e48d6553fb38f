#!/bin/sh
# .venv with the package (editable), its lab extension, kernelspec and server configuration.
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"
PYTHON="${PYTHON:-python3}"

# Everything that an editable installation copies or builds; Python code it takes from here.
sources() {
    cat pyproject.toml cognition_jupyter/__init__.py scripts/install.sh
    find labextension jupyter-config cognition_jupyter/kernels/kernelspec \
        \( -name node_modules -o -name lib -o -name coverage \) -prune -o \
        -type f ! -name '*.tsbuildinfo' -print | LC_ALL=C sort | while read -r file; do
        echo "$file"
        cat "$file"
    done
    pwd # a virtual environment does not survive being moved
}

make_venv() {
    if $VENV_PYTHON -m pip --version >/dev/null 2>&1; then return; fi
    if ! have "$PYTHON"; then
        if [ "$PYTHON" != python3 ] || ! apt_install python3 python3-venv; then
            die "$PYTHON is missing: install Python 3.10 or newer."
        fi
    fi
    "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
        die "$PYTHON is too old: 3.10 or newer is needed, or name another with PYTHON=."
    "$PYTHON" -c 'import ensurepip' 2>/dev/null || apt_install python3-venv ||
        die "$PYTHON can't make virtual environments: install python3-venv."
    rm -rf .venv
    "$PYTHON" -m venv .venv
}

# node_modules, from the cache when its package-lock.json has been installed before
make_node_modules() {
    if ! have node || ! have npm; then
        die "Node.js with npm is missing: install version 20 or newer to build the lab extension."
    fi
    [ "$(node -p 'process.versions.node.split(".")[0]')" -ge 20 ] ||
        die "Node.js $(node --version) is too old to build the lab extension: 20 or newer is needed."
    lock=$(hash_of <labextension/package-lock.json)-$(uname -m)
    modules=labextension/node_modules
    if [ "$(cat $modules/.lock-hash 2>/dev/null)" = "$lock" ]; then return; fi
    rm -rf $modules
    kept="$CACHE/node_modules-$lock"
    if [ ! -d "$kept" ]; then
        say "Installing the npm packages"
        (cd labextension && npm ci --no-audit --no-fund --loglevel=error) >&2
        echo "$lock" >$modules/.lock-hash
        mkdir -p "$CACHE"
        rm -rf "$kept.$$"
        cp -a --reflink=auto $modules "$kept.$$"
        mv -T "$kept.$$" "$kept" 2>/dev/null || rm -rf "$kept.$$" # another run was quicker
    else
        cp -a --reflink=auto "$kept" $modules
    fi
}

stamp=.make/install-$(sources | hash_of)
if [ -e "$stamp" ] && $VENV_PYTHON -I -c 'import cognition_jupyter' 2>/dev/null; then exit 0; fi
make_venv
make_node_modules
say "Installing the package into .venv"
# Built anew, or files of an older build would stay.
rm -rf cognition_jupyter/labextension labextension/lib
$VENV_PYTHON -m pip install -qq --disable-pip-version-check --editable '.[test,lab]'
mkdir -p .make
rm -f .make/install-*
touch "$stamp"
