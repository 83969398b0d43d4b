"""Whether memory is the same for ranges of any length."""

from __future__ import annotations

from functools import partial

from benchmarks import inputs
from benchmarks.measure import export, in_turns
from benchmarks.rows import Benchmark, Row, against_first

COMMANDS = ("export_all_history", "export_ledger_entry_changes")
LENGTHS = (1, 10, 100)


def _peak(command: str, length: int) -> float:
    return export(command, inputs.network(), inputs.FIRST, inputs.FIRST + length - 1, "--processes", 1).memory


def run(rounds: int) -> list[Row]:
    """Measure peaks over ranges of 1, 10 and 100 ledgers."""
    rows = []
    for command in COMMANDS:
        works = {f"{command}, {length} ledgers": partial(_peak, command, length) for length in LENGTHS}
        peaks = [Row(what, "MB", values) for what, values in in_turns(works, rounds).items()]
        rows += against_first(peaks, at_most=1.25)
    return rows


BENCHMARK = Benchmark(
    "Memory",
    "The peak of one process. The first ledgers fill caches of accounts and assets, which have fixed limits; after "
    "that memory must not grow with the range.",
    run,
)
