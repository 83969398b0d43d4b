"""The speed of exporting history: everything from the lake's objects to finished files."""

from __future__ import annotations

from functools import partial

from benchmarks import inputs
from benchmarks.decode import SDK_LEDGERS
from benchmarks.measure import export, in_turns, processor_seconds
from benchmarks.rows import Benchmark, Row, compared_with
from benchmarks.sdk import sdk_speed
from stellar_etl.sources.lake import decompress, open_lake

SDK = "stellar-sdk (Python) decodes"
SDK_AT_BEST = "the same without Python's cycle collector"


def sdk_ledgers() -> list[bytes]:
    """A part of the generated network's ledgers, for the SDK, which is slow."""
    return inputs.raw(inputs.network(), inputs.FIRST, inputs.FIRST + SDK_LEDGERS - 1)


def export_speed(command: str) -> float:
    """Return megabytes per second of processor time of an export on one core, including the program's start and end."""
    return inputs.megabytes() / export(command, inputs.network(), inputs.FIRST, inputs.LAST, "--processes", 1).seconds


def _limit() -> float:
    """The upper limit of any exporter: decompress objects, and copy their content once."""
    lake = open_lake(str(inputs.network()), "pubnet")
    objects = [lake.store.read(span.name) for span in lake.spans(inputs.FIRST, inputs.LAST)]
    return inputs.megabytes() / processor_seconds(lambda: [bytearray(decompress(data)) for data in objects])


def run(rounds: int) -> list[Row]:
    """Measure the export, the SDK, which only decodes, and the upper limit."""
    few = sdk_ledgers()
    works = {
        SDK: partial(sdk_speed, few),
        SDK_AT_BEST: partial(sdk_speed, few, collector=False),
        "export": partial(export_speed, "export_all_history"),
        "limit": _limit,
    }
    figures = in_turns(works, rounds)
    sdk, at_best = Row(SDK, "MB/s", figures[SDK]), Row(SDK_AT_BEST, "MB/s", figures[SDK_AT_BEST])
    note = f"{inputs.LEDGERS} ledgers, {inputs.megabytes():.1f} MB; verified, all nine types"
    whole = Row("export_all_history", "MB/s", figures["export"], target=15, note=note)
    limit = Row("decompress and copy", "MB/s", figures["limit"])
    return [
        sdk,
        at_best,
        whole,
        compared_with(whole, sdk, target=5),
        compared_with(whole, at_best),
        limit,
        compared_with(whole, limit),
    ]


BENCHMARK = Benchmark(
    "Export of history",
    "Raw XDR per second of processor time, one process, everything included: start of the program, decompression, "
    "hashes, decoding, rows of all nine types, JSON, checksums, writing.",
    run,
    missed="The ledgers become 205,300 rows, 233 MB of NDJSON, 6.4 times their XDR. In a profile decoding "
    "has a quarter of the time, base64 and hashes of parts of ledgers 16 %, JSON and writing 11 %. The rest is "
    "spread over the rows of nine types; no function of it has more than 4 %. Compiling the modules of rows with "
    "`mypyc` made no difference.",
)
