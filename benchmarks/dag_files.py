"""The time to read a DAG file in a process of Airflow's DAG processor."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.inputs import REPO
from benchmarks.rows import Benchmark, Row, compared_with

EMPTY = "a DAG file without tasks"
INHERITED = "modules inherited"

_READ = """
import json, os, runpy, socket, sqlite3, sys, tempfile, time
from pathlib import Path
import structlog
from airflow.dag_processing.processor import _pre_import_airflow_modules
from airflow.serialization import serialized_objects
inherited, rounds, *files = sys.argv[1] == "inherited", int(sys.argv[2]), *sys.argv[3:]
sys.dont_write_bytecode = False
empty = Path(tempfile.mkdtemp()) / "empty_dag.py"
empty.write_text('from airflow.sdk import DAG\\n\\nwith DAG("empty"):\\n    pass\\n')
files.insert(0, str(empty))
for file in files:
    _pre_import_airflow_modules(file, structlog.get_logger())
if inherited:
    from local.stack.preload import preload_modules
    preload_modules()
reached = []
def noted(*args, **kwargs):
    reached.append(repr(args))
    raise OSError("no connection is allowed")
socket.socket.connect = socket.socket.connect_ex = sqlite3.connect = sqlite3.dbapi2.connect = noted
def read(file):
    reader, writer = os.pipe()
    if os.fork() == 0:
        runpy.run_path(file)
        os.write(writer, json.dumps([time.process_time(), len(reached)]).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        seconds, times = json.loads(pipe.read())
    os.wait()
    return seconds, times
figures = {file: [] for file in files}
for counted in range(-1, rounds):  # the first round writes compiled files
    for file, found in figures.items():
        result = read(file)
        if counted >= 0:
            found.append(result)
print(json.dumps(list(figures.values())))
"""


def _read(rounds: int, files: Sequence[Path], modules: str) -> tuple[dict[str, list[float]], int]:
    """Return the milliseconds of each file, and how many connections the files tried to open.

    Args:
        rounds: the counted rounds.
        files: the files to read.
        modules: `inherited`, or `imported` by each process.
    """
    done = subprocess.run(
        [sys.executable, "-c", _READ, modules, str(rounds), *map(str, files)],
        cwd=REPO,
        env={**os.environ, "AIRFLOW_VAR_OWNER": "somebody"},
        check=True,
        capture_output=True,
        text=True,
    )
    figures = json.loads(done.stdout.splitlines()[-1])
    names = [EMPTY, *(file.name for file in files)]
    times = {name: [1000 * seconds for seconds, _ in one] for name, one in zip(names, figures, strict=True)}
    return times, sum(count for one in figures for _, count in one)


def run(rounds: int) -> list[Row]:
    """Measure each file in turn, first in processes that import the modules, then in those that inherit them."""
    files = sorted((REPO / "dags").glob("*_dag.py"))
    imported, reached = _read(rounds, files, "imported")
    inherited, reached_too = _read(rounds, files, "inherited")
    empty = Row(EMPTY, "ms", imported.pop(EMPTY))
    empty_too = Row(f"{EMPTY}, {INHERITED}", "ms", inherited.pop(EMPTY))
    return [
        empty,
        *(Row(name, "ms", values, target=15, at_most=True) for name, values in imported.items()),
        empty_too,
        *(Row(f"{name}, {INHERITED}", "ms", values, target=15, at_most=True) for name, values in inherited.items()),
        Row("databases and servers reached", "times", [float(reached + reached_too)], target=0, at_most=True),
        compared_with(Row("the slowest", "ms", max(imported.values(), key=sorted)), empty),
        compared_with(Row(f"the slowest, {INHERITED}", "ms", max(inherited.values(), key=sorted)), empty_too),
    ]


BENCHMARK = Benchmark(
    "Reading DAG files",
    "The processor time of a process that reads one file. It is forked, as the DAG processor does, from a process with "
    "Airflow and the providers that DAG files name, and imports the modules of this project from their compiled files. "
    f"*{INHERITED.capitalize()}*: the first process has imported them too, as on the laptop stack. The Variable "
    "`owner`, which is the only one that DAG files read, is in the environment.",
    run,
    missed="7 ms are a process without tasks. A loading DAG imports 72 modules of this project if its "
    "process inherits none. In the rest of the time Airflow makes the tasks: the DAGs with the most tasks are the "
    "slowest. Before the DAG files named their tasks' providers, each process imported these as well.",
)
