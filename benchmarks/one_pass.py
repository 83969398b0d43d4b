"""The saving of one pass over the ledgers, compared with one command per type."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from benchmarks import inputs
from benchmarks.measure import export, in_turns
from benchmarks.rows import Benchmark, Row, compared_with
from stellar_etl.cli.options import ODD_COMMANDS
from stellar_etl.transforms.registry import HISTORY
from tests.stellar_etl.web_lake import Files, served

SINGLE = [ODD_COMMANDS.get(type_, f"export_{type_}") for type_ in HISTORY]
LAST = inputs.FIRST + 14


def _seconds(command: str) -> float:
    return export(command, inputs.network(), inputs.FIRST, LAST, "--processes", 1).seconds


def _sum(of: Callable[[str], float]) -> float:
    return sum(map(of, SINGLE))


def run(rounds: int) -> list[Row]:
    """Measure time and reads of one pass, and of the commands that it replaces."""
    figures = in_turns({"one pass": partial(_seconds, "export_all_history"), "single": partial(_sum, _seconds)}, rounds)
    times = {name: Row(name, "s", values) for name, values in figures.items()}
    reads = {name: Row(name, "reads", [float(count)]) for name, count in _reads().items()}
    return [
        Row(f"{len(SINGLE)} single commands", "s", times["single"].values),
        compared_with(
            Row("export_all_history", "s", times["one pass"].values),
            times["single"],
            target=1 / 3,
            at_most=True,
            of="their sum",
        ),
        Row(f"{len(SINGLE)} single commands", "reads", reads["single"].values),
        compared_with(
            Row("export_all_history", "reads", reads["one pass"].values),
            reads["single"],
            target=1 / 5,
            at_most=True,
            of="their sum",
        ),
    ]


def _reads() -> dict[str, int]:
    """Return the number of ledger objects requested from a lake on the web."""
    counts = {}
    files = Files(inputs.network())
    for name, commands in {"one pass": ["export_all_history"], "single": SINGLE}.items():
        with served(files) as server:
            for command in commands:
                export(command, server.url, inputs.FIRST, inputs.FIRST + 9)  # type: ignore[arg-type]
            counts[name] = server.ledger_reads
    return counts


BENCHMARK = Benchmark(
    "One pass",
    "`export_all_history` compared with the sum of the commands for the single types over the same ledgers: "
    "processor time, and objects requested from a lake on the web.",
    run,
)
