"""Prepares Airflow's database, in one process: `python -m local.stack.prepare VARIABLES.json IMPORTED.json MIGRATED`.

Runs with the environment of the Airflow processes. IMPORTED.json records the last import, so that Variables and pools
that a user changed keep their values until the files change. The file MIGRATED is created as soon as servers that
need no DAGs can start. The DAG files are parsed each time: otherwise a DAG that was parsed under another schedule
would have one more run of that schedule.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from local.stack.imports import read_imported, to_import, write_imported
from local.stack.layout import REPO


def _run(*command: str) -> None:
    """Run one command of Airflow's command line in this process."""
    from airflow.cli.cli_parser import get_parser

    arguments = get_parser().parse_args(command)
    arguments.func(arguments)


def _names() -> dict[str, set[str]]:
    """Return the names of the Variables and pools in Airflow's database."""
    from airflow.models import Pool, Variable
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        return {
            "variables": set(session.scalars(select(Variable.key))),
            "pools": set(session.scalars(select(Pool.pool))),
        }


def _import(kind: str, content: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{kind}.json"
        file.write_text(json.dumps(content))
        _run(kind, "import", str(file))


def main(argv: Sequence[str]) -> None:
    """Wait for the database, migrate it, import Variables and pools, and read the DAG files."""
    variables, memory, migrated = map(Path, argv)
    _run("db", "check", "--retry", "60", "--retry-delay", "1")
    _run("db", "migrate")
    files = {"variables": variables, "pools": REPO / "airflow_pools.json"}
    wanted = {kind: json.loads(file.read_text()) for kind, file in files.items()}
    imported, present = read_imported(memory), _names()
    for kind, content in wanted.items():
        if part := to_import(content, imported.get(kind, {}), present[kind]):
            _import(kind, part)
    write_imported(memory, wanted)
    migrated.touch()
    _run("dags", "reserialize")


if __name__ == "__main__":
    main(sys.argv[1:])
