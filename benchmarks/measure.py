"""Time and memory of pieces of work, in this process or in one of its own, so that other programs count little."""

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
    """What a process took, with those that it started.

    Attributes:
        seconds: of processor time, of all processors.
        memory: the first process's at its peak, in MB.
        elapsed: seconds by the clock.
        first: of the seconds of processor time, those of the program's first process.
    """

    seconds: float
    memory: float
    elapsed: float
    first: float


def processor_seconds(work: Callable[[], object]) -> float:
    """Processor time that a piece of work takes in this process, without Python's cycle collector."""
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
# Not `ru_maxrss`, which counts what the process was before it became this program.
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps([first + others, int(status["VmHWM"].split()[0]) / 1024, time.monotonic() - begun, first]))
"""


def program(*arguments: object) -> Cost:
    """Runs `stellar-etl` in a process of its own, which says at its end what it took."""
    argv = [sys.executable, "-c", _RUN, *map(str, arguments)]
    done = subprocess.run(argv, check=True, capture_output=True, text=True, cwd=REPO)
    return Cost(*json.loads(done.stdout))


def export(command: str, lake: Path, first: int, last: int, *options: object) -> Cost:
    """An export of a range into a folder that is thrown away; each ledger is verified, as always."""
    with tempfile.TemporaryDirectory() as folder:
        single = command not in ("export_all_history", "export_ledger_entry_changes")
        output = Path(folder) / "rows.txt" if single else folder
        return program(command, "-s", first, "-e", last, "--datastore-path", lake, "-o", output, *options)


def in_turns(works: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Each work's figure in each round: A B A B and so on, so that what else the machine does meets all of them.

    The first round, in which caches are cold, does not count.
    """
    figures: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds + 1):
        for name, work in works.items():
            figure = work()
            if number:
                figures[name].append(figure)
    return figures
