"""The time to read a DAG file in a process of Airflow's DAG processor."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from benchmarks.inputs import REPO
from benchmarks.rows import Benchmark, Row, compared_with

EMPTY = "a DAG file without tasks"

_READ = """
import json, os, runpy, socket, sqlite3, sys, tempfile, time
from pathlib import Path
import structlog
from airflow.dag_processing.processor import _pre_import_airflow_modules
from airflow.serialization import serialized_objects
rounds, *files = int(sys.argv[1]), *sys.argv[2:]
sys.dont_write_bytecode = False
empty = Path(tempfile.mkdtemp()) / "empty_dag.py"
empty.write_text('from airflow.sdk import DAG\\n\\nwith DAG("empty"):\\n    pass\\n')
files.insert(0, str(empty))
for file in files:
    _pre_import_airflow_modules(file, structlog.get_logger())
reached = []
def noted(*args, **kwargs):
    reached.append(repr(args))
    raise OSError("no connection is allowed")
socket.socket.connect = socket.socket.connect_ex = sqlite3.connect = sqlite3.dbapi2.connect = noted
def read(file):
    reader, writer = os.pipe()
    if os.fork() == 0:
        begun = time.process_time()
        runpy.run_path(file)
        os.write(writer, json.dumps([time.process_time() - begun, len(reached)]).encode())
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


def run(rounds: int) -> list[Row]:
    """Measure each file in turn."""
    files = sorted((REPO / "dags").glob("*_dag.py"))
    done = subprocess.run(
        [sys.executable, "-c", _READ, str(rounds), *map(str, files)],
        env={**os.environ, "AIRFLOW_VAR_OWNER": "somebody"},
        check=True,
        capture_output=True,
        text=True,
    )
    figures = json.loads(done.stdout.splitlines()[-1])
    names = [EMPTY, *(file.name for file in files)]
    times = dict(zip(names, ([1000 * seconds for seconds, _ in one] for one in figures), strict=True))
    reached = float(sum(count for one in figures for _, count in one))
    empty = Row(EMPTY, "ms", times.pop(EMPTY))
    return [
        empty,
        *(Row(name, "ms", values, target=15, at_most=True) for name, values in times.items()),
        Row("databases and servers reached", "times", [reached], target=0, at_most=True),
        compared_with(Row("the slowest", "ms", max(times.values(), key=sorted)), empty),
    ]


BENCHMARK = Benchmark(
    "Reading DAG files",
    "Each file in a process that is forked, as the DAG processor does, from a process with Airflow and the providers "
    "that DAG files name; all modules of this project from their compiled files. The Variable `owner`, which is the "
    "only one that DAG files read, is in the environment.",
    run,
)
