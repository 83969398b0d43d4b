#!/usr/bin/env bash
# Runs the DAGs once against the real BigQuery and Cloud Storage. For its usage run: scripts/smoke_gcp.sh --help
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/make_venv.sh stack
export PYTHONPATH="$PWD:$PWD/dags"
exec .venv/bin/python -m scripts.smoke_gcp "$@"
