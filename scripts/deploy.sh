#!/usr/bin/env bash
# Brings this checkout into a Composer environment: pools, Airflow Variables, then DAGs and schemas. Can be repeated.
#   scripts/deploy.sh NAME COMPOSER_ENVIRONMENT LOCATION AIRFLOW_BUCKET IMAGE
# NAME is that of a file in environments/; IMAGE the exporter's, which the Variable image_name then is.
# The order: new DAGs find the pools and the Variables that they need, and old ones don't mind more of either.
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
.venv/bin/python - "$files/rendered.json" "$image" > "$files/airflow_variables.json" <<'END'
import json, sys
print(json.dumps(json.load(open(sys.argv[1])) | {"image_name": sys.argv[2]}, indent=2))
END
settings check "$files/airflow_variables.json"
import pools airflow_pools.json
import variables "$files/airflow_variables.json"
./upload_static_to_gcs.sh "$bucket"
