#!/bin/sh
# All checks and tests but the long ones; the last line is pytest's.
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"
have chromium || apt_install chromium ||
    die "The tests of the sidebar need Chromium: install the package chromium."
have bwrap || apt_install bubblewrap ||
    die "The tests of the bubblewrap runtime need the package bubblewrap."

say "Python: ruff, mypy"
.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy
say "TypeScript: lint, tests"
(cd labextension && npm run --silent lint && npm test --silent)
say "pytest"
# A file's tests stay together: they share a server, an engine or a browser. Browsers come by
# themselves, for Chromium drops its requests when another test makes a network.
together="--numprocesses auto --maxprocesses 4 --dist loadfile"
status=0
# shellcheck disable=SC2086 # several words
.venv/bin/pytest -q -m "not torture" $together --ignore tests/browser </dev/null || status=$?
# shellcheck disable=SC2086
.venv/bin/pytest -q -m "not torture" $together tests/browser </dev/null || status=$?
exit $status
