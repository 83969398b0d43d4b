"""Makes Airflow's database ready, in one process: `python -m local.stack.prepare VARIABLES.json`.

Runs with the environment of the Airflow processes. Repeating it changes nothing but the Variables.
"""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path


def main() -> None:
    """Migrates the database, and imports the Variables."""
    from airflow.cli.cli_parser import get_parser
    from airflow.configuration import conf

    parser = get_parser()
    for command in (["db", "migrate"], ["variables", "import", sys.argv[1]]):
        arguments = parser.parse_args(command)
        arguments.func(arguments)
    # Readers and the one writer don't block each other; the database remembers it.
    database = Path(conf.get("database", "sql_alchemy_conn").removeprefix("sqlite:///"))
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA journal_mode=WAL")


if __name__ == "__main__":
    main()
