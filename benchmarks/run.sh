#!/usr/bin/env bash
# Makes .venv if it is missing or old, then measures: all, or what is named. benchmarks/run.sh --help lists them.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/make_venv.sh tests
export PATH="$PWD/.venv/bin:$PATH" PYTHONPATH="$PWD/dags" AIRFLOW_HOME="$PWD/.local/benchmarks/airflow"
exec python -m benchmarks "$@"
