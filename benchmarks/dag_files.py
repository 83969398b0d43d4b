"""The time to read a DAG file, without imports of Airflow and its providers."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from benchmarks.inputs import REPO
from benchmarks.rows import Benchmark, Row, compared_with

EMPTY = "a DAG file without tasks"

_READ = """
import gc, json, runpy, socket, sqlite3, sys, tempfile, time
from pathlib import Path
rounds, *files = int(sys.argv[1]), *sys.argv[2:]
sys.dont_write_bytecode = False
empty = Path(tempfile.mkdtemp()) / "empty_dag.py"
empty.write_text('from airflow.sdk import DAG\\n\\nwith DAG("empty"):\\n    pass\\n')
for file in files:
    runpy.run_path(file)  # imports all modules of other packages
reached = []
def noted(*args, **kwargs):
    reached.append(repr(args))
    raise OSError("no connection is allowed")
socket.socket.connect = socket.socket.connect_ex = sqlite3.connect = sqlite3.dbapi2.connect = noted
figures = {file: [] for file in [str(empty), *files]}
for _ in range(rounds):
    for file, seconds in figures.items():
        for name in [name for name in sys.modules if name.partition(".")[0] == "stellar_etl_airflow"]:
            del sys.modules[name]
        gc.collect()
        begun = time.process_time()
        runpy.run_path(file)
        seconds.append(time.process_time() - begun)
print(json.dumps({"seconds": list(figures.values()), "reached": reached}))
"""


def run(rounds: int) -> list[Row]:
    """Measure each file in turn, in one process that has read all of them before."""
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
    times = dict(zip(names, ([1000 * value for value in seconds] for seconds in figures["seconds"]), strict=True))
    empty = Row(EMPTY, "ms", times.pop(EMPTY))
    return [
        empty,
        *(Row(name, "ms", values, target=15, at_most=True) for name, values in times.items()),
        Row("databases and servers reached", "times", [float(len(figures["reached"]))], target=0, at_most=True),
        compared_with(Row("the slowest", "ms", max(times.values(), key=sorted)), empty),
    ]


BENCHMARK = Benchmark(
    "Reading DAG files",
    "Each file with all modules of this project, from their compiled files, in a process that has imported "
    "everything else before. The Variable `owner`, the only one that DAG files read, is in the environment.",
    run,
)
