#!/usr/bin/env bash
# Updates the lock files: every package pinned with its hashes, no download address.
# Run it after a change of a requirements/*.in file, or of the exporter's dependencies in pyproject.toml. Locked packages
# keep their versions, unless --upgrade or --upgrade-package NAME is given.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=$(command -v .venv/bin/uv || command -v uv) || { echo "lock.sh: uv is missing: run ./run_tests.sh once, or install uv" >&2; exit 1; }

# compile NAME OPTION… SOURCE
compile() {
  local lock=requirements/$1.txt
  shift
  # --no-emit-index-url is uv's default; --no-annotate keeps the file's diff to what changed.
  "$uv" pip compile --quiet --generate-hashes --universal --no-annotate --python-version 3.11 \
    --custom-compile-command scripts/lock.sh --output-file "$lock" "$@" ${given[@]+"${given[@]}"} >/dev/null
  echo "$lock: $(grep -c '==' "$lock") packages"
}

given=("$@")
compile stack --excludes requirements/stack.excludes requirements/stack.in
# Tests run with the stack's versions, and the image has the versions of the tests.
compile tests --constraints requirements/stack.txt requirements/tests.in
compile exporter --constraints requirements/stack.txt pyproject.toml
compile composer requirements/composer.in
compile outbound requirements/outbound.in
compile dbt requirements/dbt.in
