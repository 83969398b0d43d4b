"""The speed of sending batches on one core: the worker of outbound exports on Beam, and plain Python."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as parquet

from benchmarks.rows import Benchmark, Row, against_first
from tests.local import emulators
from tests.outbound.receiver import PYTHON, make_python, receiving, worker_environment

ROWS, SIZES = 5000, (20, 1000)
"""The rows of a batch, and the numbers of batches: the larger export has 1 GB."""
FOLDER = "benchmark"

PLAIN = """
import sys, hashlib, pyarrow.parquet as parquet, requests
session = requests.Session()
file = parquet.ParquetFile(sys.argv[1])
for group in range(file.num_row_groups):
    for row in file.read_row_group(group).to_pylist():
        body = row["body"].encode()
        assert hashlib.sha256(body).hexdigest() == row["sha256"]
        headers = {"Idempotency-Key": row["key"], "X-Batch": str(row["batch"]), "X-Rows": str(row["row_count"])}
        session.post(sys.argv[2], data=body, headers=headers, timeout=60).raise_for_status()
"""


def write_batches(path: Path, count: int) -> None:
    """Write a Parquet file of batches, one row group each."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = None
    for number in range(1, count + 1):
        rows = [
            {
                "account_id": f"G{number:08d}{row:048d}",
                "asset_code": "USD",
                "asset_issuer": "G" * 56,
                "balance": row / 7,
            }
            for row in range(ROWS)
        ]
        body = json.dumps(rows)
        batch = pa.table(
            {
                "batch": [number],
                "key": [hashlib.sha256(str(number).encode()).hexdigest()],
                "row_count": [ROWS],
                "byte_count": [len(body)],
                "sha256": [hashlib.sha256(body.encode()).hexdigest()],
                "body": [body],
            }
        )
        writer = writer or parquet.ParquetWriter(path, batch.schema)
        writer.write_table(batch)
    assert writer is not None
    writer.close()


def measure(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Return the processor seconds of a command with all its processes, and their peak memory in MB."""
    before = os.times()
    process = psutil.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        try:
            every = [process, *process.children(recursive=True)]
            peak = max(peak, sum(one.memory_info().rss for one in every))
        except psutil.NoSuchProcess:
            pass
        time.sleep(0.05)
    assert process.returncode == 0, command
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return used, peak / (1 << 20)


def command_of(url: str, folder: str, state: str, workers: int) -> list[str]:
    """The worker's command line."""
    options = {"input": folder, "state": state, "url": url, "lanes": 4, "tries": 3, "timeout": 60}
    given = [f"--{name}={value}" for name, value in options.items()]
    modes = ["--direct_running_mode=multi_processing", f"--direct_num_workers={workers}"] if workers > 1 else []
    metrics = f"--metrics={tempfile.mkdtemp()}/metrics.json"
    return [str(PYTHON), "-m", "outbound", "--runner=FnApiRunner", *given, "--on_unknown=resend", metrics, *modes]


def run(rounds: int) -> list[Row]:
    """Measure rows per second and core, including the program's start and end, and memory by number of batches."""
    make_python()
    rates: dict[str, list[float]] = {}
    memory: dict[str, list[float]] = {}
    with ExitStack() as servers:
        folder = Path(servers.enter_context(tempfile.TemporaryDirectory()))
        bucket = servers.enter_context(emulators.running(emulators.bucket(folder)))
        receiver = servers.enter_context(receiving(folder))
        environment = worker_environment(bucket.url)
        for count in SIZES:
            file = folder / "gcs" / emulators.BUCKET / FOLDER / str(count) / "part-0.parquet"
            write_batches(file, count)
            place = f"gs://{emulators.BUCKET}/{FOLDER}"
            for number in range(rounds):
                ways = {"plain Python": [str(PYTHON), "-c", PLAIN, str(file), receiver.address]}
                for workers, what in ((1, "Beam, one process"), (2, "Beam, two workers")):
                    state = f"{place}/state-{count}-{number}-{workers}"
                    ways[what] = command_of(receiver.address, f"{place}/{count}", state, workers)
                for what, command in ways.items():
                    seconds, peak = measure(command, environment)
                    if count == max(SIZES):
                        rates.setdefault(what, []).append(count * ROWS / seconds)
                    memory.setdefault(f"{what}, {count} batches", []).append(peak)
    rows = [Row(what, "rows/s and core", values) for what, values in rates.items()]
    for what in rates:
        peaks = [Row(f"{what}, {count} batches", "MB", memory[f"{what}, {count} batches"]) for count in SIZES]
        rows += against_first(peaks, at_most=1.25)
    return rows


BENCHMARK = Benchmark(
    "Outbound exports",
    "Batches of 5,000 rows, 1.01 MB each, posted to a local receiver that parses each body: by the worker of the "
    "exports on Beam's FnApiRunner, and by plain Python without receipts. Processor time of all processes, "
    "including their start. The larger export has 1,000 batches, 1.01 GB: a comparison with 20 batches shows "
    "whether memory grows with their number. With two workers Beam runs in mode `multi_processing`.",
    run,
)
