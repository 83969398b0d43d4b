"""Makes Airflow's database ready, in one process: `python -m local.stack.prepare VARIABLES.json`.

Runs with the environment of the Airflow processes. Repeating it changes nothing but Variables and pools, and what the
DAG files say now: a DAG that was read under another schedule would be run by it once more.
"""

from __future__ import annotations

import sys

from local.stack.layout import REPO


def main() -> None:
    """Waits for the database, migrates it, imports Variables and pools, and reads the DAG files."""
    from airflow.cli.cli_parser import get_parser

    parser = get_parser()
    for command in (
        ["db", "check", "--retry", "60", "--retry-delay", "1"],
        ["db", "migrate"],
        ["variables", "import", sys.argv[1]],
        ["pools", "import", str(REPO / "airflow_pools.json")],
        ["dags", "reserialize"],
    ):
        arguments = parser.parse_args(command)
        arguments.func(arguments)


if __name__ == "__main__":
    main()
