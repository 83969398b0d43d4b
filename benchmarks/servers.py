"""Whether the laptop's servers and their tasks need the same memory for ranges of any length."""

from __future__ import annotations

import multiprocessing
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import inputs
from benchmarks.emulated import BATCH, DATASET, SCHEMAS, Emulated, Loading, emulated, exported
from benchmarks.rows import Benchmark, Row, against_first
from stellar_etl_airflow.bigquery.tables import TableLayout, ensure_table
from stellar_etl_airflow.model.coverage import Window
from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.model.schema import read_schema
from stellar_etl_airflow.model.tables import ASSETS, BATCH_STATS_TABLE_ID, EFFECTS, LEDGERS, OPERATIONS, TRANSACTIONS
from stellar_etl_airflow.sql.coverage import check_rows, window_parameters
from tests.local import emulators
from tests.local.cluster_server import Cluster, wait_until

LENGTHS = (1, 10, 100)
TABLES = (LEDGERS, OPERATIONS, EFFECTS, TRANSACTIONS, ASSETS)
PROGRAMS = ("warehouse", "bucket", "cluster", "tasks", "coverage")
LOOKED_AT = (LEDGERS, OPERATIONS, EFFECTS, TRANSACTIONS)
DAY = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))
"""The close times of all ledgers."""
POD_SECONDS = 900


def peak(process: subprocess.Popen[bytes] | None) -> float:
    """Return the peak memory of a running process, in MB."""
    assert process is not None
    return _peak_of(str(process.pid))


def _peak_of(pid: str) -> float:
    # Not `ru_maxrss`, which includes the process's memory before it executed this program.
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def _tasks(port: int, last: int) -> float:
    """Load, check and merge all tables, like the tasks; return this process's peak in MB."""
    to = Emulated(emulators.Server([], "", port=port), emulators.Server([], ""))
    for table in TABLES:
        loading = Loading(to, table)
        loading.make_tables()
        loading.load(f"gs://{emulators.BUCKET}/rows/{exported(last).path(table).name}")
        loading.check(exported(last).parameters)
        loading.merge(exported(last).parameters)
        loading.drop_staging()
    return _peak_of("self")


def _coverage(port: int, last: int) -> float:
    """Check the coverage of tables, like `ledger_coverage`; return this process's peak in MB."""
    to = Emulated(emulators.Server([], "", port=port), emulators.Server([], ""))
    stats = f"{emulators.PROJECT}.{DATASET}.{BATCH_STATS_TABLE_ID}"
    ensure_table(to.client, stats, TableLayout(read_schema(SCHEMAS, BATCH_STATS_TABLE_ID)))
    headers = Loading(to, LEDGERS).published
    window = window_parameters(Window(LedgerRange(inputs.FIRST, last), *DAY))
    for table in LOOKED_AT:
        published = Loading(to, table).published
        to.query(
            f"INSERT INTO `{stats}` (table_id, start_ledger, end_ledger, row_count, first_closed_at, last_closed_at, "
            f"published_at) SELECT '{table.table_id}', {inputs.FIRST}, {last}, COUNT(*), MIN(closed_at), "
            f"MAX(closed_at), MAX(closed_at) FROM {published}"
        )
        ids = {one: one.table_id for one in LOOKED_AT}
        statement = check_rows(table, published, headers, f"`{stats}`", ids, last, window)
        found = to.query(statement.sql, statement.parameters)
        assert found == [], f"the coverage check found {found} in complete tables"
    return _peak_of("self")


def _export(cluster: Cluster, last: int) -> None:
    """Export all history of a range to the bucket, like a pod."""
    bucket = ("--cloud-provider", "gcp", "--cloud-storage-bucket", emulators.BUCKET, "--extra-fields", BATCH)
    range_ = ("--start-ledger", str(inputs.FIRST), "--end-ledger", str(last), "--output", "rows")
    pod = cluster.create(
        "stellar-etl", "export_all_history", *range_, *bucket, "--datastore-path", str(inputs.network())
    )
    wait_until(lambda: cluster.pod(pod).status.phase in ("Succeeded", "Failed"), "the pod still runs", POD_SECONDS)
    assert cluster.pod(pod).status.phase == "Succeeded", cluster.log(pod)


def _peaks(length: int) -> dict[str, float]:
    """Return every program's peak during one batch; each is started for it."""
    last = inputs.FIRST + length - 1
    exported(last)
    with tempfile.TemporaryDirectory() as folder, emulated() as to:
        cluster = Cluster.make(Path(folder), STORAGE_EMULATOR_HOST=to.bucket.url)
        try:
            _export(cluster, last)
            clients = []
            for program in (_tasks, _coverage):
                with multiprocessing.get_context("spawn").Pool(1) as pool:
                    clients.append(pool.apply(program, (to.warehouse.port, last)))
            peaks = (peak(to.warehouse.process), peak(to.bucket.process), peak(cluster.process), *clients)
        finally:
            cluster.stop()
    return dict(zip(PROGRAMS, peaks, strict=True))


def run(rounds: int) -> list[Row]:
    """Measure each program at ranges of 1, 10 and 100 ledgers."""
    found = [{length: _peaks(length) for length in LENGTHS} for _ in range(rounds)]
    rows = []
    for program in PROGRAMS:
        peaks = [
            Row(f"{program}, {length} ledgers", "MB", [one[length][program] for one in found]) for length in LENGTHS
        ]
        rows += against_first(peaks, at_most=1.25)
    return rows


BENCHMARK = Benchmark(
    "Memory of servers and tasks",
    "Peaks during one batch: a pod exports to the bucket; a process loads, checks and merges ledgers, operations, "
    "effects, transactions and assets with the code of the tasks; another one checks their coverage like "
    "`ledger_coverage`. Every program is started for the batch. The warehouse's DuckDB can use 1 GB and spills the "
    "rest to disk: its memory grows up to that limit, and not with the range. The emulated bucket writes and reads "
    "objects in blocks.",
    run,
    missed="DuckDB uses memory for what it reads, up to its limit.",
)
