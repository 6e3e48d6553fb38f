#!/bin/sh
# docs.sh [DIRECTORY]: the documentation as HTML, by default in docs/_build/html. Warnings are errors.
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"
out="${1:-docs/_build/html}"

.venv/bin/sphinx-build --quiet --fresh-env --fail-on-warning --keep-going -b html docs "$out"
say "The documentation is in $out"
