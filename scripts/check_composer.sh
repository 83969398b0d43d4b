#!/usr/bin/env bash
# Imports all DAGs and builds every operator with the versions that Composer 3 has, in an environment of its own
# (.venv-composer, from requirements/composer.txt). Arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=.venv-composer
stamp=$venv/.lock-sha256
wanted=$(sha256sum requirements/composer.txt | cut -d' ' -f1)
if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
  echo "check_composer.sh: making $venv" >&2
  scripts/make_venv.sh
  rm -rf "$venv"
  .venv/bin/python -m venv --without-pip "$venv"
  .venv/bin/uv pip sync --quiet --require-hashes --python "$venv/bin/python" requirements/composer.txt
  echo "$wanted" > "$stamp"
fi
export PATH="$PWD/$venv/bin:$PATH"
python -m pytest tests/dags/test_dag_files.py tests/dags/operators/test_pods.py tests/dags/operators/test_pod_places.py "$@"
