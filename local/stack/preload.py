"""Imports shared modules in the processes that fork tasks and DAG file parsers.

The providers of Google and Kubernetes take two seconds to import, otherwise for each task and each DAG file.
"""

from __future__ import annotations

import importlib
import sys

MODULES = (
    "airflow.providers.google.cloud.operators.bigquery",
    "airflow.providers.google.cloud.hooks.gcs",
    "airflow.providers.cncf.kubernetes.operators.pod",
    "pydantic",
)
FORKING = ("scheduler", "dag-processor")


def preload() -> None:
    """Import them, if this process forks others."""
    if sys.argv[1:2] and sys.argv[1] in FORKING:
        for module in MODULES:
            importlib.import_module(module)
