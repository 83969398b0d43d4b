"""The speed of decoding ledgers, compared with other decoders."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path

from benchmarks import inputs
from benchmarks.measure import in_turns, processor_seconds
from benchmarks.rows import Benchmark, Row, compared_with
from benchmarks.sdk import sdk_speed
from stellar_etl.xdr import decode_batch

GENERATED = "the generated decoder"
PYTHON_SDK = "stellar-sdk (Python)"
PYTHON_SDK_AT_BEST = "the same without Python's cycle collector"
JAVASCRIPT_SDK = "stellar-base (JavaScript)"
SDK_LEDGERS = 6
"""The ledgers of each kind for the Python SDK, which takes a third of a second per ledger."""

_FOLDER = Path(__file__).with_name("javascript")
_INSTALL = ("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--silent")


def decode(batches: list[bytes]) -> None:
    """Decode all objects like the exporter."""
    for data in batches:
        decode_batch(data)


@cache
def _javascript() -> Path | None:
    """Return the folder with the JavaScript SDK, which is installed there once; None without Node."""
    if not (shutil.which("node") and shutil.which("npm")):
        return None
    folder = inputs.MADE / "javascript"
    folder.mkdir(parents=True, exist_ok=True)
    for path in _FOLDER.iterdir():
        shutil.copy(path, folder)
    if not (folder / "node_modules").is_dir():
        subprocess.run(_INSTALL, cwd=folder, check=True, capture_output=True)
    return folder


class _Node:
    """A process that stays up, so that its compiled code is kept."""

    def __init__(self, process: subprocess.Popen[str], version: str) -> None:
        self.version = version
        self._process = process

    def seconds(self, batches: Path) -> float:
        """Return its processor time for the objects of a folder, including the compiler's thread."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{batches}\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())


@contextmanager
def _node() -> Iterator[_Node | None]:
    folder = _javascript()
    if folder is None:
        yield None
        return
    argv = ["node", "decode.js"]
    with subprocess.Popen(argv, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield _Node(process, process.stdout.readline().strip())
        finally:
            process.terminate()


def run(rounds: int) -> list[Row]:
    """Measure each decoder on each kind of ledgers."""
    kinds = {**inputs.recorded(), "generated network": inputs.raw(inputs.network(), inputs.FIRST, inputs.FIRST + 29)}
    rows = []
    with _node() as node, tempfile.TemporaryDirectory() as folder:
        for kind, batches in kinds.items():
            place = Path(folder) / kind
            place.mkdir()
            for number, data in enumerate(batches):
                (place / str(number)).write_bytes(data)
            rows += _kind(kind, batches, rounds, partial(node.seconds, place) if node else None, node)
    return rows


def _kind(
    kind: str, batches: list[bytes], rounds: int, javascript: partial[float] | None, node: _Node | None
) -> list[Row]:
    few = batches[:SDK_LEDGERS]
    whole = sum(map(len, batches)) / 1e6
    works = {
        PYTHON_SDK: partial(sdk_speed, few),
        PYTHON_SDK_AT_BEST: partial(sdk_speed, few, collector=False),
        GENERATED: lambda: whole / processor_seconds(partial(decode, batches)),
    }
    if javascript:
        for _ in range(4):
            javascript()  # warm up its compiler
        works[JAVASCRIPT_SDK] = lambda: whole / javascript()
    figures = in_turns(works, rounds)
    note = f"{len(batches)} ledgers, {whole:.1f} MB"
    made = {name: Row(f"{name}: {kind}", "MB/s", values) for name, values in figures.items()}
    ours = Row(f"{GENERATED}: {kind}", "MB/s", figures[GENERATED], note=note)
    rows = [
        made[PYTHON_SDK],
        compared_with(ours, made[PYTHON_SDK], target=10, of=PYTHON_SDK),
        made[PYTHON_SDK_AT_BEST],
        compared_with(ours, made[PYTHON_SDK_AT_BEST], of=PYTHON_SDK_AT_BEST),
    ]
    if node:
        rows += [
            made[JAVASCRIPT_SDK],
            compared_with(ours, made[JAVASCRIPT_SDK], target=1, of=f"{JAVASCRIPT_SDK}, {node.version}"),
        ]
    return rows


BENCHMARK = Benchmark(
    "Decoding",
    "Raw XDR per second of processor time on one core, in turns. The generated decoder runs without Python's cycle "
    f"collector, as in the exporter. Python's SDK decodes {SDK_LEDGERS} ledgers of each kind in a separate process, "
    "with and without the cycle collector. The JavaScript decoder runs warm, in a process that stays up. Without "
    "`../shared` or Node their rows are missing.",
    run,
)
