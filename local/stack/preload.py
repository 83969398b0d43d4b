"""Imports shared modules in the processes that fork tasks and DAG file parsers.

The providers of Google and Kubernetes take two seconds to import, and the DAGs' own modules a tenth of a second, which
is a third of a short task. Without this module each task would import them.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import os
import pkgutil
import sys
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

PROVIDERS = (
    "airflow.providers.google.cloud.operators.bigquery",
    "airflow.providers.google.cloud.hooks.gcs",
    "airflow.providers.cncf.kubernetes.operators.pod",
)
FORKING = ("scheduler", "dag-processor")

OWN = "stellar_etl_airflow"
"""The package of the DAGs' modules."""


def preload() -> None:
    """Import them, if this process forks others; those that fork tasks also get the corrections."""
    atexit.register(gc.freeze)  # the last collection of Airflow's objects, which the exit frees anyway, takes seconds
    if sys.argv[1:2] and sys.argv[1] in FORKING:
        preload_modules()
        from local.stack.corrections import notice_ended_tasks

        notice_ended_tasks()


def preload_modules() -> None:
    """Import the modules. Forked processes import the DAGs' own ones themselves if a user has changed them."""
    packages = [importlib.import_module(f"{OWN}.{name}") for name in ("operators", "tasks")]
    own = [module.name for one in packages for module in pkgutil.iter_modules(one.__path__, f"{one.__name__}.")]
    for name in (*PROVIDERS, *own):
        importlib.import_module(name)
    package = Path(packages[0].__path__[0]).parent
    os.register_at_fork(after_in_child=partial(forget_changed, times_of(package.rglob("*.py"))))
    gc.freeze()  # forked processes leave these objects to the shared memory


def times_of(files: Iterable[Path]) -> dict[Path, int]:
    """Return the time of each file's last change, in nanoseconds; 0 for a file that does not exist."""
    return {file: file.stat().st_mtime_ns if file.exists() else 0 for file in files}


def forget_changed(imported: Mapping[Path, int]) -> None:
    """Forget the DAGs' own modules if one of their files has changed since they were imported."""
    if times_of(imported) != imported:
        for name in [name for name in sys.modules if name.partition(".")[0] == OWN]:
            del sys.modules[name]
