"""Parses a folder of DAG files like Airflow: `python scripts/parse_dags.py FOLDER`.

Exit status 0, or 1 with a line for each file that does not parse, or if the folder has no DAG.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path


def main(folder: Path) -> int:
    """Print the errors of a folder's DAG files to stderr."""
    with tempfile.TemporaryDirectory() as home:
        # Before Airflow is imported: it reads these once. They override the developer's settings.
        os.environ["AIRFLOW_HOME"] = home
        os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "ERROR"
        os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
        os.environ["AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT"] = (
            "600"  # the first file imports Airflow: slow on a busy machine
        )
        sys.path.insert(0, str(folder))
        sys.dont_write_bytecode = True
        from airflow.dag_processing.dagbag import DagBag

        bag = DagBag(folder, load_op_links=False)
    for path, trace in bag.import_errors.items():
        print(f"{Path(path).relative_to(folder)} does not parse: {trace.strip().splitlines()[-1]}", file=sys.stderr)
    if not bag.dags and not bag.import_errors:
        print(f"{folder} contains no DAG", file=sys.stderr)
    return 0 if bag.dags and not bag.import_errors else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
