"""The speed of exporting ledger entry changes."""

from __future__ import annotations

from functools import partial

from benchmarks import inputs
from benchmarks.history import SDK, export_speed, sdk_ledgers
from benchmarks.measure import in_turns
from benchmarks.rows import Benchmark, Row, compared_with
from benchmarks.sdk import sdk_speed

COMMAND = "export_ledger_entry_changes"


def run(rounds: int) -> list[Row]:
    """Measure the export, and the SDK, which only decodes."""
    figures = in_turns({SDK: partial(sdk_speed, sdk_ledgers()), COMMAND: partial(export_speed, COMMAND)}, rounds)
    sdk = Row(SDK, "MB/s", figures[SDK])
    note = f"{inputs.LEDGERS} ledgers, {inputs.megabytes():.1f} MB; verified, all types"
    return [sdk, compared_with(Row(COMMAND, "MB/s", figures[COMMAND], note=note), sdk, target=3)]


BENCHMARK = Benchmark(
    "Export of ledger entry changes", "Raw XDR per second of processor time, one process, everything included.", run
)
