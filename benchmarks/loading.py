"""The speed of the laptop's warehouse: load a table from the bucket into staging, check it, merge it."""

from __future__ import annotations

import tempfile
from functools import partial

import duckdb

from benchmarks.emulated import Emulated, Export, Loading, emulated, exported
from benchmarks.measure import in_turns, processor_seconds
from benchmarks.rows import Benchmark, Row, compared_with
from stellar_etl_airflow.model.tables import EFFECTS, LEDGERS, OPERATIONS, TRANSACTIONS, Table

TABLES = (OPERATIONS, EFFECTS, TRANSACTIONS)
PLAIN = "DuckDB alone"


def _plain(export: Export, table: Table) -> float:
    """Return the seconds of DuckDB alone, which infers the types and checks nothing."""
    sql = "CREATE TABLE plain AS SELECT * FROM read_ndjson(?)"
    with tempfile.TemporaryDirectory() as folder, duckdb.connect(f"{folder}/plain.duckdb") as connection:
        return processor_seconds(lambda: connection.execute(sql, [str(export.path(table))]).fetchall())


def _ours(to: Emulated, export: Export, table: Table, uri: str) -> float:
    """Return the warehouse's seconds for the jobs of three tasks: load, check, merge."""
    loading = Loading(to, table)
    loading.drop_tables()
    loading.make_tables()
    begun = to.seconds()
    loading.load(uri)
    counts = loading.check(export.parameters)
    assert counts.pop("row_count") == export.files[table.data_type]["rows"]
    assert not any(counts.values()), counts
    loading.merge(export.parameters)
    return to.seconds() - begun


def _rows(table: Table, export: Export, seconds: dict[str, list[float]]) -> list[Row]:
    file = export.files[table.data_type]
    megabytes, count = file["bytes"] / 1e6, file["rows"]
    plain = Row(f"{PLAIN}: {table.table_id}", "MB/s", [megabytes / value for value in seconds["plain"]])
    what = f"loaded, checked, merged: {table.table_id}"
    ours = Row(
        what, "MB/s", [megabytes / value for value in seconds["ours"]], note=f"{count:,} rows, {megabytes:.0f} MB"
    )
    return [
        plain,
        compared_with(ours, plain, target=0.5, of=PLAIN),
        Row(what, "MB/s", ours.values, target=24),
        Row(what, "rows/s", [count / value for value in seconds["ours"]], target=97_000),
    ]


def run(rounds: int) -> list[Row]:
    """The tables with the most bytes and rows."""
    export, rows = exported(), []
    with emulated() as to:
        headers = Loading(to, LEDGERS)
        headers.make_tables()
        headers.load(to.upload(export.path(LEDGERS)))
        headers.merge(export.parameters)
        for table in TABLES:
            uri = to.upload(export.path(table))
            works = {"plain": partial(_plain, export, table), "ours": partial(_ours, to, export, table, uri)}
            rows += _rows(table, export, in_turns(works, rounds))
    return rows


BENCHMARK = Benchmark(
    "Load, check and merge",
    "NDJSON per second of processor time of the laptop's warehouse: the DAGs' load job from the bucket into "
    "staging, their check, and their merge into an empty table. For comparison DuckDB, the warehouse's engine, "
    "reads the same file into a table with inferred types.",
    run,
    missed="DuckDB alone does the work of half of the first task. A load reads each line twice. The first time, for "
    "what BigQuery refuses, takes a third of the three jobs' time. The check reads the rows again, and the merge "
    "writes them again, compressed.",
)
