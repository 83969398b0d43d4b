"""Writes tests/data/hubble_columns.json: the columns that Hubble's public dbt project reads from its sources.

`python -m tests.dags.tasks.hubble_columns CLONE`, with a clone of https://github.com/stellar/stellar-dbt-public.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import yaml

from tests.shared import REPO

FILE = REPO / "tests" / "data" / "hubble_columns.json"

_SOURCE = re.compile(r"source\('crypto_stellar',\s*'(\w+)'\)")
_COLUMN = re.compile(r"^\s*,?\s*`?(?:raw_table\.)?([a-z_0-9]+(?:\.[a-z_0-9]+)?)`?(?:\s+as\s+\w+)?\s*$", re.MULTILINE)
_WORDS = {"with", "select", "from", "raw_table"}


def git(clone: Path, *arguments: str) -> str:
    """Return the output of a git command."""
    return subprocess.run(["git", "-C", str(clone), *arguments], capture_output=True, text=True, check=True).stdout


def read(clone: Path) -> dict[str, list[str]]:
    """Return by source table the columns that its declaration names, and those that the staging models select."""
    found: dict[str, set[str]] = {}
    for path in git(clone, "ls-tree", "-r", "--name-only", "HEAD").split():
        if path.startswith("models/sources/") and path.endswith(".yml"):
            for source in yaml.safe_load(git(clone, "show", f"HEAD:{path}")).get("sources", ()):
                for table in source["tables"]:
                    names = {column["name"].strip("`") for column in table.get("columns", ())}
                    found.setdefault(table["name"], set()).update(names)
        if path.startswith("models/staging/") and path.endswith(".sql"):
            text = git(clone, "show", f"HEAD:{path}")
            for table in _SOURCE.findall(text):
                found.setdefault(table, set()).update(name for name in _COLUMN.findall(text) if name not in _WORDS)
    return {table: sorted(names) for table, names in sorted(found.items())}


def main() -> None:
    """Write the file."""
    clone = Path(sys.argv[1])
    commit = git(clone, "rev-parse", "HEAD").strip()
    about = f"https://github.com/stellar/stellar-dbt-public/tree/{commit}"
    FILE.write_text(json.dumps({"source": about, "columns": read(clone)}, indent=1) + "\n")


if __name__ == "__main__":
    main()
