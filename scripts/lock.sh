#!/usr/bin/env bash
# Makes the lock files anew: every package pinned with its hashes, no download address.
# Run it after a change of a requirements/*.in file, or of what pyproject.toml says the exporter needs; packages already locked keep their versions
# unless --upgrade (or --upgrade-package NAME) is given.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=$(command -v .venv/bin/uv || command -v uv) || { echo "lock.sh: uv is missing: run ./run_tests.sh once, or install uv" >&2; exit 1; }
compile() {
  local lock=$1
  # --no-emit-index-url is uv's default; --no-annotate keeps the file's diff to what changed.
  "$uv" pip compile --quiet --generate-hashes --universal --no-annotate --python-version 3.11 \
    --custom-compile-command scripts/lock.sh --output-file "$@" >/dev/null
  echo "$lock: $(grep -c '==' "$lock") packages"
}

compile requirements/laptop.txt requirements/laptop.in "$@"
compile requirements/composer.txt requirements/composer.in "$@"
# The image has the versions that the tests ran with.
compile requirements/exporter.txt --constraints requirements/laptop.txt pyproject.toml "$@"
