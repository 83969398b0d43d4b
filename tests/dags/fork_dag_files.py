"""Reads each DAG file in a forked process, after the imports that Airflow's DAG processor makes before it forks.

Writes an object to standard output: for each file, the modules of Google's and Kubernetes' packages that the process
imported, and the number of inherited objects that its garbage collections skip.
"""

from __future__ import annotations

import gc
import json
import runpy
import sys
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from airflow.dag_processing.processor import _pre_import_airflow_modules
from airflow.utils.file import iter_airflow_imports
from forked import in_fork

DAGS = Path(__file__).resolve().parents[2] / "dags"
SLOW = ("airflow.providers.cncf", "airflow.providers.google", "google.cloud", "kubernetes", "pandas")
"""Packages that take seconds to import."""


def read(path: Path) -> dict[str, Any]:
    before = set(sys.modules)
    runpy.run_path(str(path))
    slow = sorted(name for name in set(sys.modules) - before if name.startswith(SLOW))
    return {"imported": slow, "skipped": gc.get_freeze_count()}


def main() -> None:
    files = sorted(DAGS.glob("*_dag.py"), key=lambda path: len(list(iter_airflow_imports(str(path)))))
    found = {}
    for path in files:  # imports stay: read the files that name the fewest modules first
        _pre_import_airflow_modules(str(path), structlog.get_logger())
        found[path.name] = in_fork(partial(read, path))
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
