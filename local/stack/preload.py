"""Loads in the scheduler what every task needs: its workers are forked from it, and find the modules there.

The providers of Google and Kubernetes take two seconds to import, which each task would pay again.
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


def preload() -> None:
    """Imports them, if this process is the scheduler."""
    if "scheduler" in sys.argv[1:2]:
        for module in MODULES:
            importlib.import_module(module)
