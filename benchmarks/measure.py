"""Time and memory of pieces of work, in this process or in a separate one, with little influence of other programs."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

REPO = Path(__file__).resolve().parent.parent


class Cost(NamedTuple):
    """The resources used by a process and its children.

    Attributes:
        seconds: of processor time, of all processors.
        memory: the first process's at its peak, in MB.
        elapsed: seconds by the clock.
        first: the seconds of processor time of the program's first process.
    """

    seconds: float
    memory: float
    elapsed: float
    first: float


def processor_seconds(work: Callable[[], object]) -> float:
    """Return the processor time of a piece of work in this process, without Python's cycle collector."""
    gc.collect()
    gc.disable()
    try:
        begun = time.process_time()
        work()
        return time.process_time() - begun
    finally:
        gc.enable()


_RUN = """
import json, os, resource, sys, time
from stellar_etl.cli import main
begun = time.monotonic()
os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
main(sys.argv[1:])
ours, theirs = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
first, others = (used.ru_utime + used.ru_stime for used in (ours, theirs))
# Not `ru_maxrss`, which includes the process's memory before it executed this program.
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps([first + others, int(status["VmHWM"].split()[0]) / 1024, time.monotonic() - begun, first]))
"""


def program(*arguments: object) -> Cost:
    """Run `stellar-etl` in a separate process, which reports its resources at its end."""
    argv = [sys.executable, "-c", _RUN, *map(str, arguments)]
    done = subprocess.run(argv, check=True, capture_output=True, text=True, cwd=REPO)
    return Cost(*json.loads(done.stdout))


def export(command: str, lake: Path, first: int, last: int, *options: object) -> Cost:
    """Export a range into a temporary folder; each ledger is verified, as always."""
    with tempfile.TemporaryDirectory() as folder:
        single = command not in ("export_all_history", "export_ledger_entry_changes")
        output = Path(folder) / "rows.txt" if single else folder
        return program(command, "-s", first, "-e", last, "--datastore-path", lake, "-o", output, *options)


def in_turns(works: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Return each work's figure in each round: A B A B and so on, so that other load affects all of them.

    The first round, in which caches are cold, does not count.
    """
    figures: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds + 1):
        for name, work in works.items():
            figure = work()
            if number:
                figures[name].append(figure)
    return figures
