#!/usr/bin/env bash
# Makes the lock files anew: every package pinned with its hashes, no download address.
# Run it after a change of a requirements/*.in file; packages already locked keep their versions
# unless --upgrade (or --upgrade-package NAME) is given.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=$(command -v .venv/bin/uv || command -v uv) || { echo "lock.sh: uv is missing: run ./run_tests.sh once, or install uv" >&2; exit 1; }
for name in laptop composer; do
  lock=requirements/$name.txt
  # --no-emit-index-url is uv's default; --no-annotate keeps the file's diff to what changed.
  "$uv" pip compile --quiet --generate-hashes --universal --no-annotate --python-version 3.11 \
    --custom-compile-command scripts/lock.sh "requirements/$name.in" --output-file "$lock" "$@" >/dev/null
  echo "$lock: $(grep -c '==' "$lock") packages"
done
