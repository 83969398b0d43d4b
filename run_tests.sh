#!/usr/bin/env bash
# Creates or updates .venv, then runs the tests. Arguments go to pytest: ./run_tests.sh -k manifest -x
set -euo pipefail
cd "$(dirname "$0")"
scripts/make_venv.sh tests
export PATH="$PWD/.venv/bin:$PATH"
unset PYTHONDONTWRITEBYTECODE # without bytecode each process compiles all that it imports
exec python -m pytest "$@"
