"""Loads what every task and every DAG file needs in the processes that fork those which run them.

The providers of Google and Kubernetes take two seconds to import, which each task and each DAG file would pay again.
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
    """Imports them, if this process is one that forks others."""
    if sys.argv[1:2] and sys.argv[1] in FORKING:
        for module in MODULES:
            importlib.import_module(module)
