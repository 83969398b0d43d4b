#!/usr/bin/env bash
# Creates or updates .venv, then runs the main job on a laptop stack. For its usage run: ./run_local.sh --help
set -euo pipefail
cd "$(dirname "$0")"
scripts/make_venv.sh stack
export PATH="$PWD/.venv/bin:$PATH" PYTHONPATH="$PWD/dags"
exec python -m local.run "$@"
