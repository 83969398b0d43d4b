#!/usr/bin/env bash
# Sets up Google Cloud for the DAGs. For its usage run: scripts/bootstrap_gcp.sh --help
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/make_venv.sh stack
export PYTHONPATH="$PWD/dags"
exec .venv/bin/python -m scripts.bootstrap_gcp "$@"
