"""What check and merge of the same batch take while their target grows."""

from __future__ import annotations

from functools import partial

from benchmarks import inputs
from benchmarks.emulated import Emulated, Export, Loading, emulated, exported
from benchmarks.measure import in_turns
from benchmarks.rows import Benchmark, Row, against_first
from stellar_etl_airflow.model.tables import EFFECTS, LEDGERS
from stellar_etl_airflow.sql.statement import column_list

SIZES = (1, 10, 100)
LEDGERS_A_DAY = 17_280


def _fill(loading: Loading, size: int) -> None:
    """Gives the target the batch's rows, and those of as many days before it as are wanted."""
    columns = loading.columns
    shifted = column_list(columns, "s").replace(
        "s.`ledger_sequence`", f"s.`ledger_sequence` + {LEDGERS_A_DAY} * (day - {size})"
    )
    shifted = shifted.replace("s.`closed_at`", f"TIMESTAMP_ADD(s.`closed_at`, INTERVAL (day - {size}) DAY)")
    loading.to.query(
        f"INSERT INTO {loading.published} ({column_list(columns)}) "
        f"SELECT {shifted} FROM {loading.staging} AS s, UNNEST(GENERATE_ARRAY(1, {size})) AS day"
    )


def _seconds(loading: Loading, export: Export, task: str) -> float:
    begun = loading.to.seconds()
    getattr(loading, task)(export.parameters)
    return loading.to.seconds() - begun


def _rows_in_days(loading: Loading, export: Export) -> float:
    """Rows of the batch's days: the partitions that a merge's constants on the close time let BigQuery read."""
    assert "T.`closed_at` BETWEEN @first_closed_at AND @last_closed_at" in loading.statement(export.parameters).sql
    days = "DATE(closed_at) BETWEEN DATE(@first_closed_at) AND DATE(@last_closed_at)"
    (row,) = loading.to.query(f"SELECT COUNT(*) AS n FROM {loading.published} WHERE {days}", export.parameters)
    return float(row["n"])


def _targets(to: Emulated, export: Export) -> dict[int, Loading]:
    """A dataset for each size, with staged rows and a target."""
    uris = {table: to.upload(export.path(table)) for table in (LEDGERS, EFFECTS)}
    targets = {}
    for size in SIZES:
        for table, uri in uris.items():
            loading = Loading(to, table, dataset=f"times_{size}")
            loading.make_tables()
            loading.load(uri)
            if table is LEDGERS:
                loading.merge(export.parameters)
                loading.drop_staging()
        _fill(loading, size)
        targets[size] = loading
    return targets


def run(rounds: int) -> list[Row]:
    """A batch of ten ledgers, and targets of as many rows, ten and a hundred times as many, a day each."""
    export, rows = exported(inputs.FIRST + 9), []
    count, size_of = export.files[EFFECTS.data_type]["rows"], export.files[EFFECTS.data_type]["bytes"]
    with emulated() as to:
        targets = _targets(to, export)
        for task in ("check", "merge"):
            works = {str(size): partial(_seconds, target, export, task) for size, target in targets.items()}
            figures = in_turns(works, rounds)
            times = [
                Row(f"{task}, target of {size * count:,} rows", "ms", [1000 * value for value in figures[str(size)]])
                for size in SIZES
            ]
            rows += against_first(times, at_most=1.3)
        reads = [
            Row(
                f"read of a target of {size * count:,} rows, by the predicate on the partition",
                "MB",
                [_rows_in_days(target, export) * size_of / count / 1e6],
            )
            for size, target in targets.items()
        ]
        rows += against_first(reads, at_most=1.3)
    return rows


BENCHMARK = Benchmark(
    "Growing tables",
    "Processor time of the laptop's warehouse for check and merge of the same ten ledgers of `history_effects`, into "
    "targets of one day, ten and a hundred. DuckDB has no partitions, but knows what each block of rows holds. What "
    "BigQuery would read of the target is worked out: the rows of the days that the merge's constants on the close "
    "time name, at their size as NDJSON; clusters by ledger leave less of it. Nothing has run on BigQuery. "
    "`history_assets` and point-in-time tables are matched by key, and are read as a whole.",
    run,
)
