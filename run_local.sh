#!/usr/bin/env bash
# Makes .venv if it is missing or old, then runs the main job on a laptop stack. ./run_local.sh --help says how.
set -euo pipefail
cd "$(dirname "$0")"
scripts/make_venv.sh stack
export PATH="$PWD/.venv/bin:$PATH" PYTHONPATH="$PWD/dags"
exec python -m local.run "$@"
