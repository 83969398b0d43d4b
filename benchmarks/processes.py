"""The speed-up by a second core."""

from __future__ import annotations

import os

from benchmarks import inputs
from benchmarks.measure import Cost, export
from benchmarks.rows import Benchmark, Row, Skipped, compared_with

SECONDS_PER_LEDGER = 5
"""The public network's pace."""

ROW = "export_all_history"


def _cost(processes: int) -> Cost:
    return export(ROW, inputs.network(), inputs.FIRST, inputs.LAST, "--processes", processes)


def run(rounds: int) -> list[Row]:
    """Measure one process and two in turns; the first round does not count.

    Raises:
        Skipped: the machine has one processor.
    """
    if (os.cpu_count() or 1) < 2:
        raise Skipped("needs two processors")
    costs: dict[int, list[Cost]] = {1: [], 2: []}
    for number in range(rounds + 1):
        for processes, measured in costs.items():
            cost = _cost(processes)
            if number:
                measured.append(cost)
    one = Row(f"{ROW}, one process", "s", [cost.seconds for cost in costs[1]])
    # With two, the first process only coordinates: its time counts in full, that of the others by half.
    two = Row(f"{ROW}, two processes", "s", [cost.first + (cost.seconds - cost.first) / 2 for cost in costs[2]])
    elapsed = {count: [cost.elapsed for cost in measured] for count, measured in costs.items()}
    network = SECONDS_PER_LEDGER * inputs.LEDGERS
    return [
        one,
        two,
        Row(
            "speed-up by two processes",
            "times",
            [a / b for a, b in zip(one.values, two.values, strict=True)],
            target=1.85,
        ),
        Row(
            "speed of two processes relative to the network",
            "times",
            [network / seconds for seconds in two.values],
            target=150,
            note=f"{inputs.LEDGERS} ledgers, one in {SECONDS_PER_LEDGER} s",
        ),
        Row(f"{ROW}, one process, elapsed", "s", elapsed[1]),
        compared_with(Row(f"{ROW}, two processes, elapsed", "s", elapsed[2]), Row("one, elapsed", "s", elapsed[1])),
    ]


BENCHMARK = Benchmark(
    "Two cores",
    "Processor time on the critical path. With one process it is all its time. With two it is the time of the first "
    "process, which coordinates, plus half the time of the two workers, which export every other ledger each. On an "
    "idle machine this is the elapsed time. Elapsed times are given too; they mean little if the load shows that "
    "other programs used the processors.",
    run,
    missed="The pace follows from the speed of one process; see *Export of history*.",
)
