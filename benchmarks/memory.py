"""Whether memory stays the same however long the range is."""

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
    """Peaks over ranges of 1, 10 and 100 ledgers."""
    rows = []
    for command in COMMANDS:
        works = {f"{command}, {length} ledgers": partial(_peak, command, length) for length in LENGTHS}
        peaks = [Row(what, "MB", values) for what, values in in_turns(works, rounds).items()]
        rows += against_first(peaks, at_most=1.25)
    return rows


BENCHMARK = Benchmark(
    "Memory",
    "One process at its peak. The first ledgers fill what is remembered of accounts and assets, within fixed "
    "bounds; flat means: not with the range.",
    run,
)
