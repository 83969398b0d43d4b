"""The time of check and merge of the same batch while their target grows."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from benchmarks import inputs
from benchmarks.emulated import Emulated, Export, Loading, emulated, exported
from benchmarks.measure import in_turns
from benchmarks.rows import Benchmark, Row, against_first
from stellar_etl_airflow.bigquery.tables import TableLayout, ensure_table
from stellar_etl_airflow.model.tables import EFFECTS, LEDGERS, OFFERS
from stellar_etl_airflow.model.versions import OPEN_LEDGER, VALID_TO, VALID_TO_LEDGER
from stellar_etl_airflow.sql.statement import Parameter, column_list, range_parameters
from stellar_etl_airflow.sql.versions import ENDS, OPEN_TIME_SQL, versions_table_id
from tests.bytes_read import bytes_read
from tests.local import emulators

SIZES = (1, 10, 100)
CHANGES, STATES = 1000, (10_000, 100_000, 1_000_000)
"""Changes of a batch, and existing entries."""
LEDGERS_A_DAY = 17_280


def _fill(loading: Loading, size: int) -> None:
    """Fill the target with the batch's rows, and with those of a number of days before it."""
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
    """Return the rows of the batch's days: the partitions within the merge's constants on the close time."""
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


def _of_state(to: Emulated, entries: int) -> Row:
    """Measure the bytes read by the merge of a ten-minute run for a number of offers that changed on earlier days."""
    loading = Loading(to, OFFERS, dataset=f"state_{entries}")
    loading.make_tables()
    versions = f"{emulators.PROJECT}.{loading.dataset}.{versions_table_id(OFFERS.table_id)}"
    ensure_table(to.client, versions, TableLayout([*loading.fields, *map(dict, ENDS)]))
    columns, valid = "offer_id, amount, ledger_sequence, deleted, closed_at", f"{VALID_TO_LEDGER}, {VALID_TO}"
    row = "n, 1.0, {0}, FALSE, TIMESTAMP_SUB(TIMESTAMP '2026-01-02 00:05:00', INTERVAL {1} DAY)"
    for into, more, most, ledger, days, ends in (
        (loading.staging, "", CHANGES, 1000, "0", ""),
        (loading.published, "", CHANGES, 990, "0", ""),
        (loading.published, "", entries, 1, "MOD(n, 1000) + 1", ""),
        (f"`{versions}`", f", {valid}", entries, 1, "MOD(n, 1000) + 1", f", {OPEN_LEDGER}, {OPEN_TIME_SQL}"),
    ):
        selected = f"SELECT {row.format(ledger, days)}{ends} FROM UNNEST(GENERATE_ARRAY(1, {most})) AS n"
        to.query(f"INSERT INTO {into} ({columns}{more}) {selected}")
    times = {"first_closed_at": "2026-01-02T00:00:00Z", "last_closed_at": "2026-01-02T00:10:00Z"}
    merge = loading.statement(range_parameters(1000, 1119, *times.values())).sql

    def query(sql: str, given: Mapping[str, str]) -> list[dict[str, Any]]:
        return to.query(sql, tuple(Parameter(name, "TIMESTAMP", value) for name, value in given.items()))

    what = f"read by the merge of {CHANGES:,} changes of offers, of which there are {entries:,}"
    return Row(what, "MB", [bytes_read(merge, times, query) / 1e6])


def run(rounds: int) -> list[Row]:
    """Measure a batch of ten ledgers, with targets of the same rows for one day, ten days and a hundred days."""
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
        rows += against_first([_of_state(to, entries) for entries in STATES], at_most=1.01)
    return rows


BENCHMARK = Benchmark(
    "Growing tables",
    "Processor time of the laptop's warehouse for check and merge of the same ten ledgers of `history_effects`, "
    "into targets of one day, ten and a hundred. DuckDB has no partitions, but stores the range of values of each "
    "block of rows. The bytes that BigQuery would read of the target are computed: the rows of the days within the "
    "merge's constants on the close time, at their size as NDJSON; clustering by ledger would reduce them. Nothing "
    "has run on BigQuery. The state of offers is their older changes and all versions; the merge of a ten-minute "
    "run reads neither. `history_assets` is matched by key, and is read as a whole.",
    run,
)
