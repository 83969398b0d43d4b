"""How fast the exporter is, and how much memory it takes: `python benchmarks/export_history.py --help`.

Prints, for the ledgers of one lake, megabytes of raw XDR a second of processor time of

- stellar-sdk's own decoder, which a user could take instead,
- the generated decoder,
- `export_all_history` and `export_ledger_entry_changes`, each as a whole process: unzip, decode, rows, JSON, checksums,
  files,

their ratios, and each export's peak memory over the range and over its first tenth, which tells whether it is flat.
"""

from __future__ import annotations

import argparse
import gc
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from stellar_sdk.xdr import LedgerCloseMetaBatch

from stellar_etl.lake import Lake, decompress, open_lake
from stellar_etl.xdr import decode_batch

PROGRAM = str(Path(sys.executable).with_name("stellar-etl"))
SAMPLE_TRANSACTIONS = 400
"""A ledger's transactions on the public network, about."""


def seconds(work: Callable[[], object]) -> float:
    """Processor time that a piece of work takes, without the garbage collector, which no export needs."""
    gc.collect()
    gc.disable()
    begun = time.process_time()
    work()
    taken = time.process_time() - begun
    gc.enable()
    return taken


def export(lake: Path, first: int, last: int, command: str = "export_all_history") -> tuple[float, float]:
    """Exports in a process of its own: processor seconds and peak memory in MB."""
    with tempfile.TemporaryDirectory() as folder:
        # The arguments are this program's own; a small parent keeps what it measures apart from this process.
        code = (
            "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stderr=subprocess.DEVNULL);"
            "used = resource.getrusage(resource.RUSAGE_CHILDREN); print(used.ru_utime + used.ru_stime, used.ru_maxrss)"
        )
        options = ("--no-verify", "--datastore-path", str(lake), "-o", folder)
        argv = [PROGRAM, command, "-s", str(first), "-e", str(last), *options]
        done = subprocess.run([sys.executable, "-c", code, *argv], check=True, capture_output=True, text=True)
        time_, memory = done.stdout.split()
        return float(time_), float(memory) / 1024


def raw(lake: Lake, first: int, last: int) -> list[bytes]:
    return [decompress(lake.store.read(span.name)) for span in lake.spans(first, last)]


def sample(folder: Path, ledgers: int) -> Path:
    """A generated lake with as many transactions a ledger as the public network has."""
    options = ("--ledgers", str(ledgers), "--transactions-per-ledger", str(SAMPLE_TRANSACTIONS))
    subprocess.run([sys.executable, "-m", "local.sample_network", "--out", str(folder), *options], check=True)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(prog="python benchmarks/export_history.py", description=__doc__.split(":")[0])
    parser.add_argument("--lake", type=Path, help="a folder lake (default: a generated one)")
    parser.add_argument("--from", dest="first", type=int, default=3, help="first ledger (default %(default)s)")
    parser.add_argument("--to", dest="last", type=int, help="last ledger (default: the lake's newest)")
    parser.add_argument("--ledgers", type=int, default=100, help="of a generated lake (default %(default)s)")
    parser.add_argument("--runs", type=int, default=3, help="the best of so many counts (default %(default)s)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = arguments.lake or sample(Path(folder) / "lake", arguments.ledgers)
        lake = open_lake(str(place), "pubnet")
        first, last = arguments.first, arguments.last or lake.newest.last
        report(place, lake, first, last, arguments.runs)


def report(place: Path, lake: Lake, first: int, last: int, runs: int) -> None:
    sample_of = raw(lake, first, min(last, first + 29))
    part = sum(map(len, sample_of)) / 1e6
    total = sum(len(data) for span in lake.spans(first, last) for data in raw(lake, span.first, span.first)) / 1e6
    sdk = part / seconds(lambda: [LedgerCloseMetaBatch.from_xdr_bytes(data) for data in sample_of])
    own = part / min(seconds(lambda: [decode_batch(data) for data in sample_of]) for _ in range(runs))
    print(f"ledgers {first}-{last}: {total:.1f} MB of raw XDR; best of {runs}; Python {sys.version.split()[0]}")
    print(f"{'stellar-sdk decodes':32} {sdk:6.1f} MB/s")
    print(f"{'the generated decoder':32} {own:6.1f} MB/s  {own / sdk:5.1f} times the SDK's")
    for command in ("export_all_history", "export_ledger_entry_changes"):
        measured = [export(place, first, last, command) for _ in range(runs)]
        whole = total / min(time_ for time_, _ in measured)
        memory = max(memory for _, memory in measured)
        tenth = export(place, first, first + max((last - first + 1) // 10, 1) - 1, command)[1]
        print(f"{command:32} {whole:6.1f} MB/s  {whole / sdk:5.1f} times the SDK's decoding alone, on one core")
        print(f"{'  its peak memory':32} {memory:6.0f} MB    {memory / tenth:5.2f} times that of a tenth of the range")


if __name__ == "__main__":
    main()
