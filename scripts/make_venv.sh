#!/usr/bin/env bash
# Makes .venv from requirements/laptop.txt, if it is missing or older than the lock: every package at its locked version,
# checked by hash. Needs Python 3.11 and the package index.
set -euo pipefail
cd "$(dirname "$0")/.."
lock=requirements/laptop.txt
stamp=.venv/.made-from

wanted=$(cat "$lock" pyproject.toml scripts/make_venv.sh | { sha256sum 2>/dev/null || shasum -a 256; } | cut -d' ' -f1)
if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
  exit 0
fi

python=$(command -v python3.11 || true)
if [ -z "$python" ] || ! "$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
  echo "make_venv.sh: Python 3.11 is missing: install it (Debian, Ubuntu: python3.11 and python3.11-venv) and try again" >&2
  exit 1
fi

# Two at once would write the same folder: the second waits, and finds the work done.
if command -v flock >/dev/null; then
  exec 9> .venv.lock
  flock 9
  [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ] || exit 0
fi

echo "make_venv.sh: making .venv from $lock; this takes a minute or two the first time" >&2
[ -x .venv/bin/python ] || "$python" -m venv .venv
rm -f "$stamp"
# uv first, at its locked version: it installs the rest in a fraction of pip's time.
.venv/bin/python -m ensurepip --upgrade >/dev/null 2>&1 || true
awk '/^uv==/ {found = 1} found {print} found && !/\\$/ {exit}' "$lock" > .venv/uv.txt
if .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.txt &&
   .venv/bin/uv pip sync --quiet --require-hashes --python .venv/bin/python "$lock"; then
  .venv/bin/uv pip install --quiet --no-deps --no-build-isolation --python .venv/bin/python -e .
else
  echo "make_venv.sh: uv could not install the lock; pip tries" >&2
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock"
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
fi
echo "$wanted" > "$stamp"
