#!/usr/bin/env bash
# Imports all DAGs and builds every operator with the versions of Composer 3, in a separate environment
# (.venv-composer, from requirements/composer.txt). Arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/make_venv.sh composer
export PATH="$PWD/.venv-composer/bin:$PATH"
python -m pytest tests/dags/test_dag_files.py tests/dags/operators/test_pods.py tests/dags/operators/test_pod_places.py "$@"
