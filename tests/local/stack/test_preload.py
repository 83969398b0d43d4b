"""The stack's forking processes import all modules of DAG files beforehand; forks still run a user's changed code."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.shared import REPO

PROGRAM = """
import os, runpy, sys, time
from pathlib import Path
from local.stack.preload import preload_modules

def in_fork():
    read, write = os.pipe()
    if not os.fork():
        imported = "stellar_etl_airflow.tasks.build_check_task" in sys.modules
        from stellar_etl_airflow.model import network
        os.write(write, f"{imported} {getattr(network, 'CHANGED', False)}".encode())
        os._exit(0)
    os.wait()
    return os.read(read, 100).decode()

def imported_by_dag_files():
    read, write = os.pipe()
    if not os.fork():
        before = set(sys.modules)
        for file in Path(sys.argv[1]).glob("*_dag.py"):
            runpy.run_path(str(file))
        os.write(write, repr([name for name in set(sys.modules) - before if name.startswith("stellar_etl")]).encode())
        os._exit(0)
    os.wait()
    return os.read(read, 10_000).decode()

preload_modules()
print(imported_by_dag_files())
print(in_fork())
module = Path(sys.argv[1]) / "stellar_etl_airflow" / "model" / "network.py"
module.write_text(module.read_text() + "\\nCHANGED = True\\n")
os.utime(module, (time.time() + 10,) * 2)
print(in_fork())
"""


def test_a_forked_process_has_the_modules_of_unchanged_files_and_imports_changed_ones(tmp_path: Path) -> None:
    """All in one program, because the import of the providers takes seconds."""
    dags = tmp_path / "dags"
    airflow = {"AIRFLOW_HOME": str(tmp_path), "AIRFLOW_VAR_OWNER": "somebody"}
    shutil.copytree(REPO / "dags", dags, ignore=shutil.ignore_patterns("__pycache__"))
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(dags)],
        env={**airflow, "PATH": "", "PYTHONPATH": f"{dags}:{REPO}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.stdout.splitlines()[-3:] == ["[]", "True False", "False True"], ended.stdout + ended.stderr
