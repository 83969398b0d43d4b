#!/usr/bin/env bash
# Deploys this checkout to a Composer environment: pools, Airflow Variables, then DAGs and schemas. Can be repeated.
#   scripts/deploy.sh NAME COMPOSER_ENVIRONMENT LOCATION AIRFLOW_BUCKET IMAGE
# NAME is a file in environments/; IMAGE is the exporter's image, the new value of the Variable image_name.
# The order: new DAGs need their pools and Variables, and older DAGs tolerate additional ones. Schemas come before the
# image that writes their columns: an older image leaves new columns empty.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ $# != 5 ]; then
  echo "usage: scripts/deploy.sh NAME COMPOSER_ENVIRONMENT LOCATION AIRFLOW_BUCKET IMAGE" >&2
  exit 2
fi
name=$1 composer=$2 location=$3 bucket=$4 image=$5
scripts/make_venv.sh stack
files=$(mktemp -d)
trap 'rm -rf "$files"' EXIT

settings() { PYTHONPATH=dags .venv/bin/python -m stellar_etl_airflow.settings "$@"; }

import() { .venv/bin/python -m scripts.composer_import "$composer" "$location" "$bucket" "$@"; }

settings render "$name" --output "$files/rendered.json"
.venv/bin/python - "$files" "$image" <<'END'
import json, pathlib, sys

files, image = pathlib.Path(sys.argv[1]), {"image_name": sys.argv[2]}
rendered = json.loads((files / "rendered.json").read_text())
others = {key: value for key, value in rendered.items() if key not in image}
for name, variables in {"all": rendered | image, "airflow_variables": others, "image_variable": image}.items():
    (files / f"{name}.json").write_text(json.dumps(variables, indent=2) + "\n")
END
settings check "$files/all.json"
import pools airflow_pools.json
import variables "$files/airflow_variables.json"
./upload_static_to_gcs.sh "$bucket"
import variables "$files/image_variable.json"
