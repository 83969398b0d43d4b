#!/usr/bin/env bash
# Sets up Google Cloud for the DAGs, or what is missing of it. scripts/bootstrap_gcp.sh --help says how.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/make_venv.sh stack
export PYTHONPATH="$PWD/dags"
exec .venv/bin/python -m scripts.bootstrap_gcp "$@"
