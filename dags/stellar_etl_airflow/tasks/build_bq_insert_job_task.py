"""Derived tables: find pending ledgers, check the sources, and run the query that makes the rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowException, AirflowSkipException

from stellar_etl_airflow.bigquery.jobs import Job, query_job
from stellar_etl_airflow.bigquery.tables import TableLayout, ensure_table, ensure_view
from stellar_etl_airflow.bigquery.versions import Versions
from stellar_etl_airflow.bigquery.warehouse import Warehouse
from stellar_etl_airflow.model.batch import STAGING_DAYS, Batch, ExportAttempt
from stellar_etl_airflow.model.derived import (
    LEDGERS_A_UNIT,
    MOST_UNITS,
    Publication,
    closed_between,
    first_unit,
    inside,
    needed_ranges,
    pending_ranges,
    states_of,
    units_of,
)
from stellar_etl_airflow.model.lineage import Lineage, selected_columns
from stellar_etl_airflow.model.network import native_contract
from stellar_etl_airflow.model.ranges import LedgerRange, TimeRange, has_range_params, without
from stellar_etl_airflow.model.tables import (
    BATCH_STATS_TABLE_ID,
    COVERAGE_TABLE_ID,
    LEDGERS,
    RANGES_VIEW_ID,
    VIEWS,
    DerivedKind,
    Table,
    sources_of,
)
from stellar_etl_airflow.model.versions import OPEN_LEDGER, Folded
from stellar_etl_airflow.operators.bigquery_jobs import TableJobsOperator
from stellar_etl_airflow.operators.runtime import SOURCES_TASK, Run, batch_of, pull_result, settings
from stellar_etl_airflow.settings.export import NetworkSettings
from stellar_etl_airflow.settings.warehouse import Target
from stellar_etl_airflow.sql.coverage import newest_loaded
from stellar_etl_airflow.sql.derived import (
    check_sources,
    counted_sources,
    derive,
    ledgers_closed,
    publications,
    selected_fields,
    view_query,
)
from stellar_etl_airflow.sql.publish import Attempt, replace_range
from stellar_etl_airflow.sql.records import moved
from stellar_etl_airflow.sql.statement import Parameter, batch_parameters, requested_parameters
from stellar_etl_airflow.sql.summary import complete_ranges_of_tables
from stellar_etl_airflow.sql.versions import current_view_id
from stellar_etl_airflow.tasks.build_apply_gcs_changes_to_bq_task import PublishOperator
from stellar_etl_airflow.tasks.build_trigger_tasks import PlannedRun, run_of

QUERIES = Path(__file__).resolve().parents[2] / "queries"

PENDING_PARAM = "only_pending"
"""The param that makes a run skip a range that was derived in the meantime."""

PLAN = "plan"
"""The XCom key of the batch stats that `check_sources` read."""


def query_of(table: Table) -> str:
    """Return the text of a derived table's query."""
    return (QUERIES / f"{table.table_id}.sql").read_text()


def ensure_views(warehouse: Warehouse, table: Table, contract: str) -> None:
    """Create or update the views on a derived table in each target, if their sources exist.

    Args:
        warehouse: the warehouse.
        table: the derived table.
        contract: the id of the native asset contract.
    """
    for view in (one for one in VIEWS.values() if one.table is table):
        text = (QUERIES / "views" / f"{view.view_id}.sql").read_text()
        for target in warehouse.config.targets:
            current = [current_view_id(warehouse.config.table_id(data_type)) for data_type in view.current]
            if all(warehouse.has(view_id, target) for view_id in current):
                query = view_query(text, view, partial(warehouse.published, target=target), contract)
                ensure_view(warehouse.client, f"{target.dataset_id}.{view.view_id}", query)


def names_of(table: Table, warehouse: Warehouse) -> dict[Table, str]:
    """Return the quoted name of a derived table and of each of its sources."""
    return {source: warehouse.published(source) for source in (*sources_of(table).values(), table)}


def marks_of(table: Table, warehouse: Warehouse) -> dict[Table, Folded]:
    """Return the marks of the tables of changes from which the rows of a table with a chain of rows are made."""
    private = warehouse.config.targets[0]
    return {source: Versions(warehouse, source, private).folded() for source in states_of(table)}


def first_dirty(marks: Iterable[Folded]) -> int:
    """Return the first ledger that the views `<table>_history` do not show before the next fold."""
    return min((mark.dirty_ledger for mark in marks if mark.dirty_ledger is not None), default=OPEN_LEDGER)


def missing(found: Mapping[str, Any], counted: Sequence[Table]) -> list[str]:
    """Return a message per problem in the result row of `check_sources`; empty if the sources are complete."""
    problems = []
    span = found["last_ledger"] - found["first_ledger"] + 1
    if found["ledgers"] != span:
        problems.append(f"{span - found['ledgers']} of {span} ledgers are missing or duplicated")
    for kind in (source.data_type for source in counted):
        if found[f"found_{kind}"] != found[kind]:
            problems.append(f"{found[f'found_{kind}']} {kind} are loaded, but the ledgers have {found[kind]}")
    return problems


def _days_of(first: datetime, last: datetime) -> TimeRange:
    """Return the whole UTC days from one close time to another."""
    start, end = (one.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) for one in (first, last))
    return TimeRange(start, end + timedelta(days=1))


def _publication(row: Any) -> Publication:
    closed = (row["first_closed_at"], row["last_closed_at"])
    return Publication(
        LedgerRange(int(row["start_ledger"]), int(row["end_ledger"])),
        row["moment"],
        None if None in closed else closed,
    )


def read_publications(warehouse: Warehouse, table: Table) -> tuple[dict[str, list[Publication]], list[Publication]]:
    """Read the publications that decide which ledgers of a derived table are pending.

    Args:
        warehouse: the warehouse.
        table: the derived table.

    Returns:
        The publications of each source, by its name in the batch stats; and those of the derived table.
    """
    source_ids = [warehouse.config.table_id(source.data_type) for source in sources_of(table).values()]
    own_id, stats = warehouse.config.table_id(table.data_type), warehouse.name(BATCH_STATS_TABLE_ID)
    found: dict[str, list[Publication]] = {table_id: [] for table_id in (*source_ids, own_id)}
    for row in warehouse.query(publications(stats, source_ids, own_id)):
        found[row["table_id"]].append(_publication(row))
    own = found.pop(own_id)
    return found, own


def are_complete(warehouse: Warehouse, table: Table, ledgers: LedgerRange) -> bool:
    """Whether the sources of a derived table are complete for some ledgers.

    They are complete if their loads have no gap, no finding is open, and derived sources are up to date.

    Args:
        warehouse: the warehouse.
        table: the derived table.
        ledgers: the ledgers of its rows.
    """
    if not warehouse.has(COVERAGE_TABLE_ID) or not warehouse.has(RANGES_VIEW_ID):
        return False
    stats, chains = warehouse.name(BATCH_STATS_TABLE_ID), [one for one in sources_of(table).values() if one.chain]
    marks = {one: mark for chain in chains for one, mark in marks_of(chain, warehouse).items()}
    ids = {warehouse.config.table_id(one.data_type): one for one in marks}
    first = {ids[row["table_id"]]: int(row["start_ledger"]) for row in warehouse.query(newest_loaded(stats, list(ids)))}
    if len(first) < len(marks) or first_dirty(marks.values()) <= ledgers.end:
        return False
    first |= {one: mark.start_ledger + 1 for one, mark in marks.items() if 0 < mark.start_ledger < ledgers.start}
    derived = [warehouse.config.table_id(one.data_type) for one in chains]
    ranges, coverage, dataset = warehouse.name(RANGES_VIEW_ID), warehouse.name(COVERAGE_TABLE_ID), warehouse.dataset_id
    complete: dict[str, list[LedgerRange]] = {}
    for row in warehouse.query(complete_ranges_of_tables(ranges, stats, coverage, {dataset: None}, derived)):
        if row["dataset"] == dataset:
            one = LedgerRange(int(row["complete_from"]), int(row["complete_through"]))
            complete.setdefault(row["table_id"], []).append(one)
    for source, needed in needed_ranges(table, ledgers, first).items():
        if without(needed, complete.get(warehouse.config.table_id(source.data_type), ())):
            return False
    pending = (one for source in chains for one in pending_ranges(*read_publications(warehouse, source)))
    return all(one.start > ledgers.end for one in pending)


class CheckSourcesOperator(TableJobsOperator):
    """Finds the ledgers to derive, and checks that the sources have all their rows.

    The ledgers are those of the run's params, or else a pending range: one in the run's data interval, or else the
    oldest. Result: `batch`, the ledgers with their close times; `consumed`, the ranges of the sources within them; and
    `again`, a run per further pending range.
    """

    builder = "build_check_task"

    def prepare(self, context: Context, warehouse: Warehouse) -> None:
        """Create or extend the table of batch stats, then read pending ranges from it.

        Raises:
            AirflowSkipException: no ledgers are pending.
        """
        warehouse.ensure_batch_stats()
        found, own = read_publications(warehouse, self.table)
        pending = pending_ranges(found, own)
        units, requested = self._unfolded(warehouse, units_of(pending)), self._requested(context)
        if requested is None or context["params"].get(PENDING_PARAM):
            units = [one for one in units if not isinstance(requested, LedgerRange) or one.overlaps(requested)]
            if not units:
                raise AirflowSkipException("no ledgers are pending: everything published in the sources is derived")
        headers = found[warehouse.config.table_id(LEDGERS.data_type)]
        if requested is None:
            requested = first_unit(units, headers, self._interval(context))
            units = [one for one in units if one != requested]
        else:
            units = []
        self.log.info("%d ledger ranges are pending; %d are left to other runs", len(pending), len(units))
        near = [one for each in found.values() for one in each if _is_near(one, requested)]
        published = sorted({(one.ledgers.start, one.ledgers.end, one.moment.isoformat()) for one in near})
        closed = closed_between(headers, requested) if isinstance(requested, LedgerRange) else None
        plan = {
            "closed": [moment.isoformat() for moment in closed] if closed else None,
            "ledgers": [requested.start, requested.end] if isinstance(requested, LedgerRange) else None,
            "again": [self._run_of(one, found) for one in units[:MOST_UNITS]],
            "published": published,
        }
        context["ti"].xcom_push(key=PLAN, value=plan)

    def _unfolded(self, warehouse: Warehouse, units: list[LedgerRange]) -> list[LedgerRange]:
        """Return the units before which the views of the sources show all changes; the others wait for a fold."""
        dirty = first_dirty(marks_of(self.table, warehouse).values()) if units else OPEN_LEDGER
        if late := [one for one in units if one.start > dirty]:
            self.log.warning(
                "%d ledger ranges from %d on wait for the DAG state_fold: ledgers from %d on were published again and "
                "are not in the views of the sources",
                *(len(late), late[0].start, dirty),
            )
        return [one for one in units if one.start <= dirty]

    def _requested(self, context: Context) -> TimeRange | LedgerRange | None:
        return Run.of(context).requested if has_range_params(context["params"]) else None

    def _interval(self, context: Context) -> TimeRange | None:
        requested = Run.of(context).requested
        return requested if isinstance(requested, TimeRange) else None

    def _run_of(self, unit: LedgerRange, found: Mapping[str, Sequence[Publication]]) -> PlannedRun:
        """Return the run that derives a range. Its id stays the same until a part of the range is published again."""
        newest = max(one.moment for each in found.values() for one in each if one.ledgers.overlaps(unit))
        conf = {"start_ledger": unit.start, "end_ledger": unit.end, PENDING_PARAM: True}
        return run_of("pending", self.table.dag_id, f"{unit.start}-{unit.end}__{newest:%Y%m%dT%H%M%S%f}", conf)

    def _range(self, context: Context) -> TimeRange | LedgerRange:
        ledgers = pull_result(context, context["ti"].task_id, PLAN)["ledgers"]
        return Run.of(context).requested if ledgers is None else LedgerRange(*ledgers)

    def _closed(self, context: Context) -> tuple[datetime, datetime] | None:
        closed = pull_result(context, context["ti"].task_id, PLAN)["closed"]
        if closed is None:
            return None
        first, last = map(datetime.fromisoformat, closed)
        return first, last

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """Return one query that counts the range's ledgers and rows, and the rows that the headers expect."""
        sources = sources_of(self.table).values()
        table_ids = {source: warehouse.config.table_id(source.data_type) for source in sources}
        stats, names = warehouse.name(BATCH_STATS_TABLE_ID), names_of(self.table, warehouse)
        requested, closed = self._range(context), self._closed(context)
        statement = check_sources(self.table, names, stats, table_ids, requested, closed)
        return [query_job("check", statement, warehouse.config.maximum_bytes_billed)]

    def reads_and_writes(self, context: Context, warehouse: Warehouse) -> Lineage:
        """Return the sources."""
        return Lineage([warehouse.published_dataset(source) for source in sources_of(self.table).values()])

    def done(self, context: Context, warehouse: Warehouse, jobs: Sequence[Any]) -> dict[str, Any]:
        """Return the range as described for the class.

        Raises:
            AirflowException: a source lacks rows. A retry may find them.
            AirflowSkipException: no ledger closed in the data interval.
        """
        (row,) = jobs[0].result()
        found, requested = dict(row.items()), self._range(context)
        range_text = ", ".join(f"{parameter.name} {parameter.value}" for parameter in requested_parameters(requested))
        if not found["ledgers"]:
            raise AirflowException(f"no ledger of this range is loaded: {range_text}")
        if isinstance(requested, LedgerRange) and (found["first_ledger"], found["last_ledger"]) != (
            requested.start,
            requested.end,
        ):
            raise AirflowException(
                f"only ledgers {found['first_ledger']} to {found['last_ledger']} are loaded of {range_text}"
            )
        if problems := missing(found, counted_sources(self.table)):
            raise AirflowException(f"the sources of this range are incomplete ({range_text}): {'; '.join(problems)}")
        if self.table.derivation and self.table.derivation.kind is DerivedKind.BUCKET:
            days = _days_of(found["first_closed_at"], found["last_closed_at"])
            (whole,) = warehouse.query(ledgers_closed(warehouse.published(LEDGERS), days))
            found |= dict(whole.items())
        newest = self._newest(warehouse, found["last_closed_at"]) if self.table.chain else None
        plan, read_at = pull_result(context, context["ti"].task_id, PLAN), found["read_at"].astimezone(UTC)
        ledgers = LedgerRange(found["first_ledger"], found["last_ledger"])
        published = [
            Publication(LedgerRange(start, end), datetime.fromisoformat(moment))
            for start, end, moment in plan["published"]
        ]
        return {
            "batch": Batch(
                ExportAttempt(ledgers, f"derived/{read_at:%Y%m%dT%H%M%S%f}Z", read_at.isoformat()),
                network_passphrase="",
                ledgers=found["ledgers"],
                first_closed_at=found["first_closed_at"].astimezone(UTC).isoformat(),
                last_closed_at=found["last_closed_at"].astimezone(UTC).isoformat(),
                newest_closed_at=newest.astimezone(UTC).isoformat() if newest else "",
            ).to_json(),
            "consumed": [[one.start, one.end] for one in inside(published, ledgers, read_at) if one != ledgers],
            "again": plan["again"],
        }

    def _newest(self, warehouse: Warehouse, last_closed_at: datetime) -> datetime:
        """Return the close time of the latest ledger that the table is derived from, including this run's."""
        table_id = warehouse.config.table_id(self.table.data_type)
        rows = warehouse.query(newest_loaded(warehouse.name(BATCH_STATS_TABLE_ID), [table_id]))
        known: list[datetime] = [row["closed_at"] for row in rows if row["closed_at"]]
        return max([last_closed_at, *known])


def _is_near(publication: Publication, requested: TimeRange | LedgerRange) -> bool:
    """Whether a publication may be within the days of a range: in a long history, most are not."""
    if isinstance(requested, LedgerRange):
        ledgers = publication.ledgers
        return (
            requested.start - 2 * LEDGERS_A_UNIT <= ledgers.start and ledgers.end <= requested.end + 2 * LEDGERS_A_UNIT
        )
    if publication.closed is None:
        return False
    day = timedelta(days=1)
    return publication.closed[1] >= requested.start - day and publication.closed[0] < requested.end + day


class DerivedTableOperator(TableJobsOperator):
    """Writes a derived table's rows of the run's ledgers into a new staging table."""

    builder = "build_bq_insert_job_task"

    def prepare(self, context: Context, warehouse: Warehouse) -> None:
        """Create the published tables and the staging table, or add missing columns."""
        batch = batch_of(context)
        warehouse.check_partitions(self.table, batch.first_closed_at, batch.last_closed_at)
        published = warehouse.ensure_published(self.table)
        ensure_views(warehouse, self.table, native_contract(settings(NetworkSettings).passphrase))
        staging = f"{warehouse.dataset_id}.{self.staging_id(context)}"
        warehouse.drop(staging)  # an earlier try may have had another range
        ensure_table(
            warehouse.client,
            staging,
            TableLayout(
                published,
                expires=datetime.now(UTC) + timedelta(days=STAGING_DAYS),
                description=f"{self.table.data_type} of {context['ti'].dag_id} {context['ti'].run_id}, not published "
                f"yet",
            ),
        )

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """Return one merge into the staging table.

        Raises:
            AirflowException: the views of the sources do not show all changes before the batch.
        """
        batch, staging = batch_of(context), warehouse.name(self.staging_id(context))
        query = query_of(self.table)
        own = warehouse.columns(self.table.table_id)
        marks = marks_of(self.table, warehouse)
        if (dirty := first_dirty(marks.values())) < batch.range.start:
            raise AirflowException(
                f"ledgers from {dirty} on were published again and are not in the views of the sources of "
                f"{self.table.table_id}: run the DAG state_fold, then clear this task"
            )
        full_loads = {one: mark.start_ledger for one, mark in marks.items()}
        source = derive(query, self.table, names_of(self.table, warehouse), own, full_loads)
        fields = {letter: warehouse.fields(warehouse.published(one)) for letter, one in sources_of(self.table).items()}
        given = selected_fields(query, fields, warehouse.schema(self.table.table_id))
        columns = moved(given, warehouse.fields(staging), own)
        first_closed_at = datetime.fromisoformat(batch.first_closed_at).astimezone(UTC)
        parameters = (
            *batch_parameters(batch),
            Parameter("batch_id", "STRING", context["ti"].run_id),
            Parameter("batch_run_date", "DATETIME", f"{first_closed_at:%Y-%m-%dT%H:%M:%S}"),
            Parameter("batch_insert_ts", "TIMESTAMP", batch.attempt.started_at),
        )
        statement = replace_range(self.table, staging, source, columns, parameters)
        return [query_job("derive", statement, warehouse.config.maximum_bytes_billed)]

    def reads_and_writes(self, context: Context, warehouse: Warehouse) -> Lineage:
        """Return the sources, and the staging table."""
        sources = {letter: warehouse.published_dataset(one) for letter, one in sources_of(self.table).items()}
        columns = {*warehouse.columns(self.table.table_id)}
        selected = selected_columns(query_of(self.table), sources)
        made_of = {column: source for column, source in selected.items() if column in columns}
        return Lineage([*sources.values()], [self.staging_dataset(context)], made_of)


class PublishDerivedOperator(PublishOperator):
    """Merges a derived table's staged rows into the published table of each target.

    If another run has derived some ledgers from newer sources in the meantime, their rows stay.
    """

    def attempt(self, context: Context, warehouse: Warehouse, target: Target) -> tuple[Attempt, datetime]:
        """Return when this run read the sources, and which of its ledgers another run has derived since.

        Raises:
            AirflowSkipException: another run has derived some of the days or entries since. This run then publishes
                nothing, so that its other ledgers stay pending.
        """
        attempt, looked_at = super().attempt(context, warehouse, target)
        kind = self.table.derivation.kind if self.table.derivation else None
        if attempt.newer and kind is DerivedKind.BUCKET:
            raise AirflowSkipException("another run has derived these days from newer sources")
        if attempt.newer and kind is DerivedKind.ENTRY:
            raise AirflowSkipException("another run has derived these ledgers from newer sources")
        return attempt, looked_at

    def refuse_if_stale(self, context: Context, newer: Sequence[Any], *, full_load: bool = False) -> None:
        """Reject nothing: newer rows stay, and this run publishes the others."""


def build_check_sources_task(table: Table) -> CheckSourcesOperator:
    """Return a task that finds the ledgers to derive, and checks that the sources have all their rows."""
    return CheckSourcesOperator(task_id=SOURCES_TASK, table=table)


def build_bq_insert_job_task(table: Table) -> DerivedTableOperator:
    """Return a task that makes a derived table's rows with its query in `dags/queries`."""
    return DerivedTableOperator(task_id="load", table=table)


def build_publish_derived_task(table: Table) -> PublishDerivedOperator:
    """Return a task that publishes a derived table's staged rows."""
    return PublishDerivedOperator(task_id="merge", table=table, pool=table.pool)
