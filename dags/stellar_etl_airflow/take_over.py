"""Copy tables of another deployment with another layout: `python -m stellar_etl_airflow.take_over`.

The other deployment's tables are only read. Rows are copied range by range, each by the statement that also publishes a
batch, and recorded in the batch stats. The command can therefore be interrupted and repeated at any time; recorded
ranges are not copied again. Docs: `docs/production.md`.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from google.api_core.exceptions import GoogleAPICallError, NotFound
from google.auth.exceptions import GoogleAuthError
from google.cloud import bigquery

from stellar_etl_airflow.bigquery.clients import client_of
from stellar_etl_airflow.bigquery.jobs import fingerprint, job_id_base, query_job
from stellar_etl_airflow.bigquery.tables import WarehouseError, guard_network
from stellar_etl_airflow.bigquery.versions import ensure_versions, versions_of
from stellar_etl_airflow.bigquery.warehouse import Warehouse
from stellar_etl_airflow.model.costs import bytes_of, cost_labels, estimated_cost
from stellar_etl_airflow.model.deployment import deployment_name
from stellar_etl_airflow.model.ranges import LedgerRange, chunks, joined, without
from stellar_etl_airflow.model.schema import Field, SchemaError, lacking
from stellar_etl_airflow.model.tables import BATCH_STATS_TABLE_ID, CHANGES, LEDGERS, TABLES, Table
from stellar_etl_airflow.settings.base import SettingsError
from stellar_etl_airflow.settings.environments import add_variables_option, read_variables
from stellar_etl_airflow.settings.export import ExportSettings
from stellar_etl_airflow.settings.parsing import load
from stellar_etl_airflow.settings.runs import EnvironmentSettings
from stellar_etl_airflow.settings.warehouse import CostSettings, WarehouseSettings
from stellar_etl_airflow.sql.batch_stats import LEDGER_COUNTS, ROWS_PER_LEDGER, rows_per_ledger, stats_row, upsert_stats
from stellar_etl_airflow.sql.coverage import closed_between, loaded_ranges
from stellar_etl_airflow.sql.records import moved
from stellar_etl_airflow.sql.statement import Parameter, Statement, range_parameters, table_name
from stellar_etl_airflow.sql.take_over import LOADS, bounds, copy, count, count_published, existing_ledgers, misfits

CHUNK = 100_000
"""Ledgers per statement: about six days, and so about six partitions."""

NAME = "take_over"

TAKEN = {**TABLES, **CHANGES}
"""The tables that can be copied, by data type, ledgers first. Derived tables are derived again."""


class TakeOverError(RuntimeError):
    """The tables cannot be copied; the message names the reason."""


@dataclass(frozen=True)
class Piece:
    """A contiguous range of ledgers, with the close times of its first and last ledger."""

    ledgers: LedgerRange
    first_closed_at: datetime
    last_closed_at: datetime

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters of the piece in a query."""
        times = (self.first_closed_at.isoformat(), self.last_closed_at.isoformat())
        return range_parameters(self.ledgers.start, self.ledgers.end, *times)


@dataclass(frozen=True)
class Source:
    """A table of the other deployment.

    Attributes:
        table: the corresponding table of the registry.
        name: its name in backticks.
        fields: its schema.
        columns: the columns that both tables have.
        loads: the columns that distinguish its loads.
        missing: columns that only our table has, including nested ones; they stay empty.
        extra: columns that only the other table has, including nested ones; they are not copied.
        misfits: the reasons why it cannot be copied.
    """

    table: Table
    name: str
    fields: Sequence[Field]
    columns: tuple[str, ...]
    loads: tuple[str, ...]
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    misfits: tuple[str, ...]


class TakeOver:
    """A copy from another deployment's dataset to ours."""

    def __init__(
        self,
        client: bigquery.Client,
        get: Callable[[str], Any],
        source: str,
        *,
        chunk: int = CHUNK,
        say: Callable[[str], None] = print,
    ) -> None:
        environment = load(EnvironmentSettings, get).environment
        self.deployment = deployment_name(environment, os.environ)
        labels = cost_labels(dag=NAME, environment=environment)
        self.warehouse = Warehouse(client, load(WarehouseSettings, get), labels)
        self.passphrase = load(ExportSettings, get).passphrase
        self.price = load(CostSettings, get).price_per_tib
        self.source = source
        self.location = self.warehouse.location
        self.chunk = chunk
        self.say = say

    # Inspect -----------------------------------------------------------------------------------------------------

    def check_places(self) -> None:
        """Check that both datasets exist, are different and are in one location.

        Raises:
            TakeOverError: one of these is not the case.
        """
        config, client = self.warehouse.config, self.warehouse.client
        if self.source in [target.dataset_id for target in config.targets]:
            raise TakeOverError(f"the Variables name {self.source} as our dataset: copy from another dataset")
        try:
            theirs = client.get_dataset(self.source).location
        except NotFound:
            raise TakeOverError(f"dataset {self.source} does not exist or is not accessible") from None
        if theirs != self.location:
            raise TakeOverError(
                f"{self.source} is in {theirs}, but {self.warehouse.dataset_id} is in {self.location}: a BigQuery job "
                f"runs in one location; create our dataset in theirs"
            )

    def sources(self, data_types: Sequence[str]) -> list[Source]:
        """Return the tables of these types that the other deployment has.

        Raises:
            TakeOverError: it has no table of ledgers, so the ledgers of its tables are unknown.
        """
        found = [self._source(TAKEN[data_type]) for data_type in data_types]
        if self._source(LEDGERS) is None:
            raise TakeOverError(f"{self.source} has no table {LEDGERS.table_id}, which is needed to find its ledgers")
        return [one for one in found if one is not None]

    def _source(self, table: Table) -> Source | None:
        project, _, dataset = self.source.rpartition(".")
        try:
            there = self.warehouse.client.get_table(f"{self.source}.{table.table_id}")
        except NotFound:
            return None
        theirs, ours = [field.to_api_repr() for field in there.schema], self.warehouse.schema(table.table_id)
        names, wanted = [field["name"] for field in theirs], [field["name"] for field in ours]
        return Source(
            table,
            table_name(project, dataset, table.table_id),
            theirs,
            tuple(name for name in wanted if name in names),
            tuple(name for name in LOADS if name in names),
            tuple(lacking(ours, theirs)),
            tuple(lacking(theirs, ours)),
            tuple(misfits(table, theirs, ours)),
        )

    def pieces(self) -> list[Piece]:
        """Return the other deployment's ledgers, in pieces for one statement each, read chunk by chunk."""
        headers = self._headers()
        (row,) = self._rows("bounds", LEDGERS, bounds(LEDGERS, headers))
        if row["first_ledger"] is None:
            return []
        whole = LedgerRange(row["first_ledger"], row["last_ledger"])
        return [
            Piece(LedgerRange(row["start_ledger"], row["end_ledger"]), row["first_closed_at"], row["last_closed_at"])
            for part in chunks([whole], self.chunk)
            for row in self._rows("held", LEDGERS, existing_ledgers(headers, part))
        ]

    def _headers(self) -> str:
        project, _, dataset = self.source.rpartition(".")
        return table_name(project, dataset, LEDGERS.table_id)

    def _pieces_of(self, source: Source, pieces: Sequence[Piece], copied: Sequence[LedgerRange]) -> Iterator[Piece]:
        """Yield the pieces between a table's first and last ledger that are not copied yet."""
        (row,) = self._rows("bounds", source.table, bounds(source.table, source.name))
        if row["first_ledger"] is None:
            return
        before, after = row["first_ledger"] - 1, row["last_ledger"] + 1
        for piece in pieces:
            outside = [LedgerRange(0, before), LedgerRange(after, max(after, piece.ledgers.end))]
            for ledgers in without(piece.ledgers, [*copied, *outside]):
                yield piece if ledgers == piece.ledgers else self._piece(ledgers)

    def _piece(self, ledgers: LedgerRange) -> Piece:
        (row,) = self._rows("times", LEDGERS, closed_between(self._headers(), ledgers.start, ledgers.end))
        return Piece(ledgers, row["start_time"], row["end_time"])

    # Report ------------------------------------------------------------------------------------------------------

    def report(self, source: Source, pieces: Sequence[Piece]) -> None:
        """Print a table's content, and what a copy would do."""
        own = [] if source.misfits else list(self._pieces_of(source, pieces, []))
        counts = [self._counted(source, piece) for piece in own]
        rows, in_range, good = (sum(one[key] for one in counts) for key in ("row_count", "in_range", "kept"))
        spans = joined(piece.ledgers for piece in own)
        where = f"ledgers {spans[0].start} to {spans[-1].end}" if spans else "no ledgers"
        self.say(f"{source.table.table_id}: {rows} rows, {where}, {in_range - good} duplicates")
        for before, after in itertools.pairwise(spans):
            self.say(f"  ledgers {before.end + 1} to {after.start - 1} are missing in the source")
        if rows > in_range:
            self.say(f"  {rows - in_range} rows have another close time than their ledger: they are not copied")
        if source.missing:
            self.say(f"  columns that it lacks, which stay empty: {', '.join(source.missing)}")
        if source.extra:
            self.say(f"  columns that are not copied: {', '.join(source.extra)}")
        for misfit in source.misfits:
            self.say(f"  can't be copied: {misfit}; load its ledgers again instead")

    def _counted(self, source: Source, piece: Piece) -> Mapping[str, int]:
        (row,) = self._rows("count", source.table, count(source.table, source.name, source.loads, piece.parameters))
        return dict(row.items())

    # Copy --------------------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Label the datasets with the deployment and the network, and create the table of batch stats."""
        self.warehouse.claim(self.deployment)
        for target in self.warehouse.config.targets:
            guard_network(self.warehouse.client, target.dataset_id, self.passphrase)
        self.warehouse.ensure_batch_stats()

    def take(self, source: Source, pieces: Sequence[Piece]) -> None:
        """Copy the pieces of a table that are not recorded yet. Point-in-time views show each piece immediately."""
        table, warehouse = source.table, self.warehouse
        warehouse.ensure_published(table)
        ensure_versions(warehouse, table)
        for piece in self._pieces_of(source, pieces, self._copied(table, pieces)):
            for versions in versions_of(warehouse, table):
                versions.set_back(piece.ledgers, piece.first_closed_at, timedelta.max)
            jobs = [
                self._write(
                    f"copy_{target.label}",
                    table,
                    self._copy(source, warehouse.published(table, target), piece),
                )
                for target in warehouse.config.targets
            ]
            self._note(table, piece, jobs)
            self.say(f"{table.table_id}: ledgers {piece.ledgers.start} to {piece.ledgers.end} are copied")
        if table.entry_keys:
            self.say(f"{table.table_id}: its point-in-time views show them")

    def _copy(self, source: Source, published: str, piece: Piece) -> Statement:
        times = (piece.first_closed_at.isoformat(), piece.last_closed_at.isoformat())
        self.warehouse.check_partitions(source.table, *times)
        columns = moved(source.fields, self.warehouse.fields(published), source.columns)
        return copy(source.table, published, source.name, columns, source.loads, piece.parameters)

    def _copied(self, table: Table, pieces: Sequence[Piece]) -> list[LedgerRange]:
        whole = LedgerRange(pieces[0].ledgers.start, pieces[-1].ledgers.end)
        stats, table_id = self.warehouse.name(BATCH_STATS_TABLE_ID), self.warehouse.config.table_id(table.data_type)
        rows = self._rows("loaded", table, loaded_ranges(stats, [table_id], whole))
        return [LedgerRange(row["start_ledger"], row["end_ledger"]) for row in rows]

    def _note(self, table: Table, piece: Piece, jobs: Sequence[Any]) -> None:
        """Write the batch stats of a piece after its copy, so that it is not copied again."""
        warehouse, now = self.warehouse, datetime.now(UTC).isoformat()
        (row,) = self._rows("count", table, count_published(table, warehouse.published(table), piece.parameters))
        read = bytes_of(jobs)
        values = {
            "table_id": warehouse.config.table_id(table.data_type),
            "ledgers": piece.ledgers.end - piece.ledgers.start + 1,
            "row_count": row["row_count"],
            "first_closed_at": piece.first_closed_at.isoformat(),
            "last_closed_at": piece.last_closed_at.isoformat(),
            "dag_id": NAME,
            "batch_id": f"{NAME}__{self.source}",
            "published_at": now,
            "bytes_processed": read["bytes_processed"],
            "bytes_billed": read["bytes_billed"],
            "estimated_cost": estimated_cost(read["bytes_billed"], self.price),
        }
        if by_ledger := rows_per_ledger(row[LEDGER_COUNTS] or "", piece.ledgers):
            values[ROWS_PER_LEDGER] = by_ledger
        statement = upsert_stats(warehouse.name(BATCH_STATS_TABLE_ID), [stats_row(piece.ledgers, values)])
        warehouse.query(statement, task="note", table=table.table_id)

    def _rows(self, label: str, table: Table, statement: Statement) -> list[Any]:
        """Return the rows of a query."""
        return self.warehouse.query(statement, task=label, table=table.table_id)

    def _write(self, label: str, table: Table, statement: Statement) -> Any:
        """Run a merge to its end, or wait for the same merge of an earlier call that is still running."""
        job = query_job(label, statement, self.warehouse.config.maximum_bytes_billed)
        base = job_id_base(NAME, self.source, table.table_id, f"{label}_{fingerprint(job.configuration)}")
        return self.warehouse.run(job, base, task=label, table=table.table_id)


def main() -> int:
    """Run the command. Return 0, or 1 after printing an error in one line."""
    parser = argparse.ArgumentParser(
        prog=f"python -m stellar_etl_airflow.{NAME}",
        description="Copy tables of another deployment to ours. Prints the tables to copy, and copies them with --go.",
    )
    parser.add_argument("source", metavar="PROJECT.DATASET", help="the other deployment's dataset, which is only read")
    add_variables_option(
        parser,
        "files of Airflow Variables in the order of import; they name our datasets",
        required=True,
    )
    parser.add_argument(
        "--tables",
        nargs="+",
        choices=list(TAKEN),
        default=list(TAKEN),
        metavar="TYPE",
        help="data types (default: all)",
    )
    parser.add_argument("--chunk", type=int, default=CHUNK, help=f"ledgers per statement (default: {CHUNK})")
    parser.add_argument("--go", action="store_true", help="copy; without it nothing is written")
    arguments = parser.parse_args()
    if arguments.chunk < 1:
        parser.error("--chunk must be at least 1")
    try:
        variables = read_variables(*arguments.variables)
        client = client_of(load(WarehouseSettings, variables.get).bq_project)
        take_over(
            TakeOver(client, variables.get, arguments.source, chunk=arguments.chunk), arguments.tables, arguments.go
        )
    except (
        TakeOverError,
        SettingsError,
        SchemaError,
        WarehouseError,
        GoogleAPICallError,
        GoogleAuthError,
        ValueError,
    ) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def take_over(work: TakeOver, data_types: Sequence[str], go: bool) -> None:
    """Print the content of the other deployment's tables; copy them if `go` is true.

    Raises:
        TakeOverError: a table cannot be copied.
    """
    work.check_places()
    sources, pieces = work.sources(data_types), work.pieces()
    if not go:
        for source in sources:
            work.report(source, pieces)
        return
    if unfit := [f"{one.table.table_id}: {misfit}" for one in sources for misfit in one.misfits]:
        raise TakeOverError("; ".join([*unfit, "exclude these tables by --tables, and load their ledgers again"]))
    if pieces:
        work.prepare()
        for source in sources:
            work.take(source, pieces)


if __name__ == "__main__":
    sys.exit(main())
