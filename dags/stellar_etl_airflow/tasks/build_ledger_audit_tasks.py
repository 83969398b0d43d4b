"""Comparison of the published rows of random ledgers with those of a new export."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from stellar_etl_airflow.bigquery.jobs import Job, query_job
from stellar_etl_airflow.bigquery.warehouse import Warehouse
from stellar_etl_airflow.model.audits import DAMAGED_LEDGERS, Sample, chosen_range
from stellar_etl_airflow.model.batch import STAGING_DAYS, staging_table_id
from stellar_etl_airflow.model.coverage import Fault, Finding
from stellar_etl_airflow.model.lineage import Lineage
from stellar_etl_airflow.model.metrics import Measurement, of_audit
from stellar_etl_airflow.model.ranges import LedgerRange, intersection
from stellar_etl_airflow.model.tables import (
    BATCH_STATS_TABLE_ID,
    CHANGES,
    LEDGER_AUDITS_TABLE_ID,
    PUBLISHED,
    RANGES_VIEW_ID,
    TABLES,
    Publish,
    Table,
)
from stellar_etl_airflow.operators.bigquery_jobs import BigQueryJobsOperator
from stellar_etl_airflow.operators.runtime import (
    TIME_TASK,
    TYPES_KEY,
    Run,
    SettingsAtRunTime,
    batch_of,
    find_result,
    pull_result,
    settings,
)
from stellar_etl_airflow.operators.staged import StagedTableOperator
from stellar_etl_airflow.settings.runs import MOST_AUDITED, AuditSettings
from stellar_etl_airflow.settings.warehouse import Target, WarehouseSettings
from stellar_etl_airflow.sql.audits import compare_rows, complete_ranges_of_datasets, record_audit
from stellar_etl_airflow.sql.coverage import loaded_ranges
from stellar_etl_airflow.sql.statement import Statement, batch_parameters
from stellar_etl_airflow.tasks.build_coverage_tasks import (
    HEAL_PARAM,
    LOOK_TASK,
    RecordOperator,
    ReportOperator,
    found_by,
    heals,
)
from stellar_etl_airflow.tasks.build_gcs_to_bq_task import LoadToStagingOperator

AUDITED: dict[str, Table] = TABLES | CHANGES
"""The tables that an audit compares: all exported ones, by data type."""

COMPARE_TASK, CHECK_TASK = "compare", "check"

SAMPLE_KEY = "sample"


class ChooseRangeOperator(BigQueryJobsOperator):
    """Chooses the ledgers to audit, unless the run's params name them: a random chunk of all complete ledgers.

    The run's id is the seed. A run chooses the same ledgers again as long as the same ledgers are complete. The result
    is `{"start": N, "end": M, "types": […], "sample": {…}}`. `end` is the ledger after the last one. `types` are the
    types loaded for these ledgers. `sample` is `Sample.to_json()`, or None if params name the range.
    """

    builder = "build_ledger_audit_tasks"

    def __init__(self, *, period: timedelta, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.period = period

    def cost_parts(self) -> dict[str, str]:
        """Return the view of complete ranges as the cost's table."""
        return {"table": RANGES_VIEW_ID}

    def prepare(self, context: Context, warehouse: Warehouse) -> None:
        """Create the views of watermarks if they are missing."""
        warehouse.ensure_watermarks()

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """Return a query of the complete ranges, unless the run names ledgers.

        Raises:
            AirflowFailException: the params name too many ledgers.
        """
        requested = Run.of(context).requested
        if isinstance(requested, LedgerRange):
            if (count := requested.end - requested.start + 1) > MOST_AUDITED:
                raise AirflowFailException(
                    f"ledgers {requested.start} to {requested.end} are {count}, but an audit compares at most "
                    f"{MOST_AUDITED}: trigger a run per part"
                )
            return []
        statement = complete_ranges_of_datasets(warehouse.name(RANGES_VIEW_ID))
        return [query_job("complete", statement, warehouse.config.maximum_bytes_billed)]

    def done(self, context: Context, warehouse: Warehouse, jobs: Sequence[Any]) -> dict[str, Any]:
        """Return the range in the format of the task that finds ledgers by times, the types and the sample.

        Raises:
            AirflowSkipException: no ledgers are complete yet.
            AirflowFailException: none of the ledgers in the params are loaded.
        """
        requested, sample = Run.of(context).requested, None
        if isinstance(requested, LedgerRange):
            ledgers = requested
        else:
            ranges, size = _complete(warehouse, jobs), settings(AuditSettings).audit_ledgers
            chosen = chosen_range(ranges, size, f"{context['ti'].dag_id} {context['ti'].run_id}")
            if chosen is None:
                raise AirflowSkipException("no ledgers are complete in all tables and datasets: nothing to audit yet")
            ledgers, sample = chosen, Sample.of(ranges, size, self.period)
            self.log.info("%s", sample.text)
        ids = {warehouse.config.table_id(data_type): data_type for data_type in AUDITED}
        loads = warehouse.query(loaded_ranges(warehouse.name(BATCH_STATS_TABLE_ID), list(ids), ledgers))
        loaded = {ids[row["table_id"]] for row in loads}
        if not loaded:
            raise AirflowFailException(f"none of ledgers {ledgers.start} to {ledgers.end} are loaded: load them first")
        self.log.info("auditing ledgers %d to %d", ledgers.start, ledgers.end)
        return {
            "start": ledgers.start,
            "end": ledgers.end + 1,
            TYPES_KEY: [data_type for data_type in AUDITED if data_type in loaded],
            SAMPLE_KEY: sample.to_json() if sample else None,
        }


def _complete(warehouse: Warehouse, jobs: Sequence[Any]) -> list[LedgerRange]:
    """Return the ledgers that are complete in all tables of every target."""
    complete: dict[str, list[LedgerRange]] = {target.dataset_id: [] for target in warehouse.config.targets}
    for row in (row for job in jobs for row in job.result()):
        complete[row["dataset"]].append(LedgerRange(int(row["complete_from"]), int(row["complete_through"])))
    return intersection(complete.values())


class LoadAuditedOperator(LoadToStagingOperator):
    """Loads a new export into staging. Skips a table into which these ledgers were never loaded."""

    def prepare(self, context: Context, warehouse: Warehouse) -> None:
        """Prepare the load as for a batch.

        Raises:
            AirflowSkipException: the ledgers were never loaded into the table.
        """
        if self.table.data_type not in pull_result(context, TIME_TASK)[TYPES_KEY]:
            raise AirflowSkipException(f"these ledgers were never loaded into {self.table.table_id}")
        super().prepare(context, warehouse)


class CompareRowsOperator(StagedTableOperator):
    """Compares the published rows of each target with the staged ones. Result: the jobs with the findings."""

    builder = "build_ledger_audit_tasks"

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """Return one query per target."""
        staged, staging = self.staged_fields(context, warehouse), warehouse.name(self.staging_id(context))
        parameters, fields = batch_parameters(batch_of(context)), warehouse.schema(self.table.table_id)

        def compare(target: Target) -> Statement:
            published = warehouse.published(self.table, target)
            columns = warehouse.moved(self.table, warehouse.fields(published), staged)
            return compare_rows(self.table, published, staging, fields, columns, parameters)

        return warehouse.jobs(COMPARE_TASK, compare)

    def reads_and_writes(self, context: Context, warehouse: Warehouse) -> Lineage:
        """Return the staging table, and the published table of each target."""
        published = [warehouse.published_dataset(self.table, target) for target in warehouse.config.targets]
        return Lineage([self.staging_dataset(context), *published])

    def done(self, context: Context, warehouse: Warehouse, jobs: Sequence[Any]) -> Any:
        """Return the jobs' result, and `looks`: per target its name, the table's type and the job."""
        targets = warehouse.config.targets
        looks = [
            [target.dataset_id, self.table.data_type, job.job_id] for target, job in zip(targets, jobs, strict=True)
        ]
        return {**super().done(context, warehouse, jobs), "looks": looks}


class CollectAuditOperator(SettingsAtRunTime, BaseOperator):
    """Collects the findings of the comparisons, in the format of a coverage check.

    Its `findings` name the compared ledgers of tables whose rows loads may keep.
    """

    builder = "build_ledger_audit_tasks"

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the time of the audit and the comparisons.

        Raises:
            AirflowSkipException: no table was compared.
        """
        compared = {data_type: find_result(context, f"{data_type}.{COMPARE_TASK}") for data_type in AUDITED}
        looks = [look for result in compared.values() if result for look in result["looks"]]
        if not looks:
            raise AirflowSkipException("no table was compared")
        ledgers = batch_of(context).range
        findings = [
            Finding(data_type, Fault.AUDITED, ledgers.start, ledgers.end, batch_of(context).ledgers, dataset=dataset)
            for dataset, data_type, _ in looks
            if AUDITED[data_type].publish is Publish.KEEP_EARLIEST  # loads correct the findings of other tables
        ]
        return {
            "checked_at": datetime.now(UTC).isoformat(),
            "looks": looks,
            "findings": [one.to_json() for one in findings],
        }


def _sample(context: Context) -> Sample | None:
    given = pull_result(context, TIME_TASK)[SAMPLE_KEY]
    return Sample(**given) if given else None


def _rows(context: Context) -> dict[str, int]:
    """Return the number of rows in the new export, by type."""
    types = dict.fromkeys(data_type for _, data_type, _ in pull_result(context, LOOK_TASK)["looks"])
    return {one: int(pull_result(context, f"{one}.{CHECK_TASK}")["counts"]["row_count"]) for one in types}


_COUNTS = {
    "missing_rows": (Fault.MISSING_ROWS,),
    "extra_rows": (Fault.EXTRA_ROWS, Fault.KEPT_ROWS),
    "different_rows": (Fault.DIFFERENT_ROWS,),
}


def audit_rows(
    looks: Sequence[Sequence[str]],
    findings: Sequence[Finding],
    rows: Mapping[str, int],
    table_ids: Mapping[str, str],
) -> Iterator[dict[str, str | None]]:
    """Yield the rows of `ledger_audits`: one per compared table and dataset.

    Args:
        looks: per comparison, the dataset, the type and the job.
        findings: the findings of all comparisons.
        rows: the number of rows in the new export, by type.
        table_ids: the name of each type's table.
    """
    for dataset, data_type, _ in looks:
        own = [one for one in findings if (one.dataset, one.data_type) == (dataset, data_type)]
        columns = dict.fromkeys(column for one in own for column in one.columns.split(", ") if column)
        yield {
            "dataset": dataset,
            "table_id": table_ids[data_type],
            "row_count": str(rows[data_type]),
            **{name: str(sum(one.count for one in own if one.fault in faults)) for name, faults in _COUNTS.items()},
            "differing_columns": ", ".join(columns) or None,
        }


class RecordAuditOperator(RecordOperator):
    """Writes the findings into `ledger_coverage`, and the comparisons into `ledger_audits`."""

    builder = "build_ledger_audit_tasks"

    def prepare(self, context: Context, warehouse: Warehouse) -> None:
        """Create the tables if they are missing."""
        super().prepare(context, warehouse)
        warehouse.ensure_audits()

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """Return a statement per some thousand findings, and one for the audit."""
        look, sample, batch = pull_result(context, LOOK_TASK), _sample(context), batch_of(context)
        counts = _rows(context)
        ids = {data_type: warehouse.config.table_id(data_type) for data_type in PUBLISHED}
        rows = list(audit_rows(look["looks"], found_by(context, warehouse), counts, ids))
        run = {
            "run_id": context["ti"].run_id,
            "start_ledger": str(batch.range.start),
            "end_ledger": str(batch.range.end),
            "is_healed": str(heals(context)).lower(),
            "complete_ledgers": str(sample.ledgers) if sample else None,
            "runs_per_year": str(sample.runs_per_year) if sample else None,
            "detection_probability": str(sample.finds(DAMAGED_LEDGERS)) if sample else None,
        }
        audited_at = datetime.fromisoformat(look["checked_at"])
        statement = record_audit(warehouse.name(LEDGER_AUDITS_TABLE_ID), audited_at, run, rows)
        audit = query_job("audit", statement, warehouse.config.maximum_bytes_billed)
        return [*super().jobs(context, warehouse), audit]

    def reads_and_writes(self, context: Context, warehouse: Warehouse) -> Lineage:
        """Return the tables of findings and audits."""
        audits = warehouse.table_dataset(LEDGER_AUDITS_TABLE_ID, LEDGER_AUDITS_TABLE_ID)
        return Lineage(outputs=[*super().reads_and_writes(context, warehouse).outputs, audits])


class ReportAuditOperator(ReportOperator):
    """Reports each finding of an audit, and the probabilities. Fails if a finding is not being fixed."""

    builder = "build_ledger_audit_tasks"

    def log_summary(self, context: Context, warehouse: Warehouse) -> None:
        """Log the compared ledgers, and the probability that a year of such audits finds damage."""
        ledgers, looks = batch_of(context).range, pull_result(context, LOOK_TASK)["looks"]
        self.log.info("compared ledgers %d to %d of %d tables", ledgers.start, ledgers.end, len(looks))
        if sample := _sample(context):
            self.log.info("%s", sample.text)

    def measurements(
        self, context: Context, warehouse: Warehouse, findings: Sequence[Finding]
    ) -> Iterator[Measurement]:
        """Return the metrics of the audit."""
        return of_audit(findings, sum(_rows(context).values()))

    def advice(self, context: Context, *, heal: bool) -> str:
        """Return the remedy that follows the number of findings."""
        ti, config = context["ti"], settings(WarehouseSettings)
        staging = f"{config.bq_project}.{config.bq_dataset}.{staging_table_id('TABLE', ti.dag_id, ti.run_id)}"
        kept = f"the rows of the new export are kept {STAGING_DAYS} days in {staging}"
        if heal:
            return f" that loads do not correct; {kept}"
        ledgers = batch_of(context).range
        again = f'{{"start_ledger": {ledgers.start}, "end_ledger": {ledgers.end}, "{HEAL_PARAM}": true}}'
        return (
            f"; {kept}. To publish the ledgers again, trigger ledger_audit with {again}, or set the Variable "
            "coverage_auto_heal"
        )


def build_choose_range_task(period: timedelta) -> ChooseRangeOperator:
    """Return a task that chooses the ledgers. The export reads them like the ledgers of a data interval.

    Args:
        period: the longest time between two runs of the schedule.
    """
    return ChooseRangeOperator(task_id=TIME_TASK, period=period)


def build_load_audited_task(table: Table) -> LoadAuditedOperator:
    """Return a task that loads a table's rows of the new export into the run's staging table."""
    return LoadAuditedOperator(task_id="load", table=table)


def build_compare_rows_task(table: Table) -> CompareRowsOperator:
    """Return a task that compares a table's published rows with those of the new export."""
    return CompareRowsOperator(task_id=COMPARE_TASK, table=table)


def build_collect_audit_task() -> CollectAuditOperator:
    """Return a task that collects the findings of all comparisons, ignoring skipped tables."""
    return CollectAuditOperator(task_id=LOOK_TASK, trigger_rule="none_failed")


def build_record_audit_task() -> RecordAuditOperator:
    """Return a task that records the audit and its findings."""
    return RecordAuditOperator(task_id="record")


def build_report_audit_task() -> ReportAuditOperator:
    """Return a task that reports the audit, and fails if this run does not fix a finding."""
    return ReportAuditOperator(task_id="report")
