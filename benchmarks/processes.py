"""What a second core brings."""

from __future__ import annotations

import os

from benchmarks import inputs
from benchmarks.measure import Cost, export
from benchmarks.rows import Benchmark, Row, Skipped, held_against

SECONDS_PER_LEDGER = 5
"""The public network's pace."""

ROW = "export_all_history"


def _cost(processes: int) -> Cost:
    return export(ROW, inputs.network(), inputs.FIRST, inputs.LAST, "--processes", processes)


def run(rounds: int) -> list[Row]:
    """One process and two in turns; the first round does not count.

    Raises:
        Skipped: there is one processor.
    """
    if (os.cpu_count() or 1) < 2:
        raise Skipped("needs two processors")
    costs: dict[int, list[Cost]] = {1: [], 2: []}
    for number in range(rounds + 1):
        for processes, held in costs.items():
            cost = _cost(processes)
            if number:
                held.append(cost)
    one = Row(f"{ROW}, one process", "s", [cost.seconds for cost in costs[1]])
    # Of two, the first process only starts and takes counts: its time counts whole, that of the others by halves.
    two = Row(f"{ROW}, two processes", "s", [cost.first + (cost.seconds - cost.first) / 2 for cost in costs[2]])
    elapsed = {count: [cost.elapsed for cost in held] for count, held in costs.items()}
    network = SECONDS_PER_LEDGER * inputs.LEDGERS
    return [
        one,
        two,
        Row("what two are faster", "times", [a / b for a, b in zip(one.values, two.values, strict=True)], target=1.85),
        Row(
            "the network's time in that of two processes",
            "times",
            [network / seconds for seconds in two.values],
            target=150,
            note=f"{inputs.LEDGERS} ledgers, one in {SECONDS_PER_LEDGER} s",
        ),
        Row(f"{ROW}, one process, elapsed", "s", elapsed[1]),
        held_against(Row(f"{ROW}, two processes, elapsed", "s", elapsed[2]), Row("one, elapsed", "s", elapsed[1])),
    ]


BENCHMARK = Benchmark(
    "Two cores",
    "Processor time on the longest way: of one process all; of two that of the first one, which gives turns, and half "
    "of what the two take that work, each on every other ledger. On an idle machine that is the elapsed time; elapsed "
    "times are given too, and mean little where the load says that others had the processors.",
    run,
)
