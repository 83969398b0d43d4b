#!/usr/bin/env bash
# Creates or updates a virtual environment from a lock file: every package at its locked version, checked by its hash. Does
# nothing if the environment is up to date. Needs Python 3.11 and the package index.
#   scripts/make_venv.sh [NAME]
#     stack   .venv from requirements/stack.txt: for ./run_local.sh and deployments
#     tests   .venv from requirements/stack.txt and requirements/tests.txt: for development (default)
#     NAME    .venv-NAME from requirements/NAME.txt, for packages that conflict with the stack's
set -euo pipefail
cd "$(dirname "$0")/.."

fail() { echo "make_venv.sh: $*" >&2; exit 1; }

name=${1:-tests}
venv=.venv-$name
case $name in stack | tests) venv=.venv ;; esac
stamp=$venv/.made-from
[ -f "requirements/$name.txt" ] || fail "requirements/$name.txt is missing: '$name' is not the name of a lock file"

# The part of pyproject.toml about the exporter's package, which .venv contains too: the part before the tools' settings.
package() {
  local line
  while IFS= read -r line; do
    case $line in '[tool.ruff]'*) break ;; esac
    printf '%s\n' "$line"
  done < pyproject.toml
}

# Sets `locks`, and `wanted`: the stamp of an up-to-date environment. Installed packages of the tests stay if only the
# stack is requested.
look() {
  made=$(cat "$stamp" 2>/dev/null || true)
  locks=("requirements/$name.txt")
  case "$name $made" in
    "tests "* | "stack "*requirements/tests.txt*) locks=(requirements/stack.txt requirements/tests.txt) ;;
  esac
  wanted="${locks[*]} $({ cat "${locks[@]}" scripts/make_venv.sh; package; } | { sha256sum 2>/dev/null || shasum -a 256; } | cut -d' ' -f1)"
  [ "$made" = "$wanted" ]
}
if look; then exit 0; fi

python=$(command -v python3.11 || true)
if [ -z "$python" ] || ! "$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
  fail "Python 3.11 is missing: install it (Debian, Ubuntu: python3.11 and python3.11-venv) and try again"
fi

# Two processes would write the same folder: the second one waits, and finds the environment up to date.
if command -v flock >/dev/null; then
  exec 9> "$venv.lock"
  flock 9
  if look; then exit 0; fi
fi

if [ "$venv" != .venv ]; then
  [ -x .venv/bin/uv ] || scripts/make_venv.sh stack 9>&-
  echo "make_venv.sh: making $venv from ${locks[*]}" >&2
  [ -x "$venv/bin/python" ] || "$python" -m venv --without-pip "$venv"
  rm -f "$stamp"
  .venv/bin/uv pip sync --quiet --require-hashes --python "$venv/bin/python" "${locks[@]}"
  echo "$wanted" > "$stamp"
  exit 0
fi

echo "make_venv.sh: making .venv from ${locks[*]}; this takes a minute or two the first time" >&2
[ -x .venv/bin/python ] || "$python" -m venv .venv
rm -f "$stamp"
# uv first, at its locked version: it installs the rest in a fraction of pip's time.
install_uv() {
  awk '/^uv==/ {found = 1} found {print} found && !/\\$/ {exit}' requirements/stack.txt > .venv/uv.txt
  case $(.venv/bin/uv --version 2>/dev/null) in
    "uv $(sed -n 's/^uv==\([^ ]*\).*/\1/p' .venv/uv.txt)"*) return ;;
  esac
  .venv/bin/python -m ensurepip --upgrade >/dev/null 2>&1 || true
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.txt
}
if install_uv && .venv/bin/uv pip sync --quiet --require-hashes --python .venv/bin/python "${locks[@]}"; then
  .venv/bin/uv pip install --quiet --no-deps --no-build-isolation --python .venv/bin/python -e .
else
  echo "make_venv.sh: uv could not install the locks; trying pip" >&2
  for lock in "${locks[@]}"; do
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r "$lock"
  done
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
fi
echo "$wanted" > "$stamp"
