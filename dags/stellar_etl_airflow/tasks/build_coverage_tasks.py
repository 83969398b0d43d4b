"""Looking over loaded history: what is missing or wrong, how far behind it is, and what is loaded again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowFailException

from stellar_etl_airflow.bigquery.jobs import Job, query_job
from stellar_etl_airflow.bigquery.tables import TableLayout, ensure_table
from stellar_etl_airflow.bigquery.warehouse import Warehouse
from stellar_etl_airflow.export.exports import network_arguments
from stellar_etl_airflow.model.coverage import (
    NO_FAULTS,
    REBUILD_DAG,
    TABLE_PARAM,
    Fault,
    Finding,
    NetworkHead,
    healing,
    lag_of,
    whole,
)
from stellar_etl_airflow.model.lineage import Lineage, dataset_at
from stellar_etl_airflow.model.partitions import BEGINNING
from stellar_etl_airflow.model.ranges import RangeError, TimeRange, asked_range, has_range_params
from stellar_etl_airflow.model.tables import BATCH_STATS_TABLE_ID, COVERAGE_TABLE_ID, LEDGERS, PUBLISHED, STATES, Table
from stellar_etl_airflow.operators.alerts import report_finding
from stellar_etl_airflow.operators.bigquery_jobs import BigQueryJobsOperator
from stellar_etl_airflow.operators.pods import LAKE_VARIABLE, XCOM_FILE, StellarPodOperator
from stellar_etl_airflow.operators.runtime import SettingsAtRunTime, pull_result, settings
from stellar_etl_airflow.settings.export import ExportSettings
from stellar_etl_airflow.settings.runs import CoverageSettings
from stellar_etl_airflow.sql.coverage import (
    closed_between,
    look,
    look_at_identity,
    look_at_state,
    newest_loaded,
    record,
    window_parameters,
)
from stellar_etl_airflow.tasks.build_trigger_tasks import PlannedRun, range_run, run_of

HEAD_TASK = "get_newest_ledger"
LOOK_TASK = "look"
HEALING_TASK = "plan_healing"
HEAL_PARAM = "auto_heal"


class NewestLedgerOperator(StellarPodOperator):
    """Asks the lake for the network's newest ledger; result: `{"sequence": N, "closed_at": "…"}`.

    The Go program has no such command: with its image, which goes with `manifest` `derived`, the clock stands for the
    ledger, whose sequence is then unknown.
    """

    builder = "build_coverage_tasks"

    def pod_arguments(self, context: Context) -> list[str]:
        """`get_newest_ledger`."""
        export = settings(ExportSettings)
        self.lineage = Lineage([dataset_at(export.txmeta_datastore_path)])
        return ["get_newest_ledger", "--output", XCOM_FILE, *network_arguments(export)]

    def pod_environment(self, context: Context) -> dict[str, str]:
        """The lake of ledgers."""
        return {LAKE_VARIABLE: settings(ExportSettings).txmeta_datastore_path}

    def execute(self, context: Context) -> Any:
        """Gives the newest ledger."""
        if settings(ExportSettings).manifest == "derived":
            self.log.info("no exporter of ours to ask: the clock stands for the newest ledger")
            self.lineage = Lineage()
            return {"sequence": None, "closed_at": datetime.now(UTC).isoformat()}
        return super().execute(context)


class LookOperator(BigQueryJobsOperator):
    """Looks over every table that is there; result: `{"checked_at": "…", "findings": […]}`.

    Without params it looks at the last days that were loaded, as the Variable says; the private dataset alone.
    """

    builder = "build_coverage_tasks"

    def _window(self, context: Context, warehouse: Warehouse) -> TimeRange:
        """The close times to look at.

        Raises:
            AirflowFailException: the params make no range, or nothing of it is loaded.
        """
        params = context["params"]
        try:
            asked = asked_range(params, None, None) if has_range_params(params) else None
        except RangeError as error:
            raise AirflowFailException(str(error)) from None
        if isinstance(asked, TimeRange):
            return asked
        end = datetime.now(UTC) + timedelta(days=1)
        days = settings(CoverageSettings).coverage_days
        if asked is None and not days:
            return TimeRange(BEGINNING, end)
        if asked is None:
            newest = self._newest(warehouse, (LEDGERS,)).get(LEDGERS.data_type)
            return TimeRange(newest[1] - timedelta(days=days) if newest else BEGINNING, end)
        (row,) = warehouse.query(closed_between(warehouse.published(LEDGERS), asked.start, asked.end))
        if row["start_time"] is None:
            raise AirflowFailException(f"of ledgers {asked.start} to {asked.end} none is loaded: load them first")
        return TimeRange(row["start_time"], row["end_time"] + timedelta(microseconds=1))

    def _newest(self, warehouse: Warehouse, tables: Sequence[Table]) -> dict[str, tuple[int, datetime]]:
        """The newest ledger that was loaded into tables, and when it closed, by type."""
        ids = {warehouse.config.table_id(table.data_type): table.data_type for table in tables}
        rows = warehouse.query(newest_loaded(warehouse.name(BATCH_STATS_TABLE_ID), list(ids)))
        return {ids[row["table_id"]]: (int(row["end_ledger"]), row["closed_at"]) for row in rows}

    def _planned(self, context: Context, warehouse: Warehouse) -> Iterator[tuple[str, Job]]:
        window = self._window(context, warehouse)
        parameters = window_parameters(window.start, window.end)
        headers, stats = warehouse.published(LEDGERS), warehouse.name(BATCH_STATS_TABLE_ID)
        limit, target = warehouse.config.maximum_bytes_billed, warehouse.config.targets[0]
        for table in filter(warehouse.holds, PUBLISHED.values()):
            table_id = warehouse.config.table_id(table.data_type)
            statement = look(table, warehouse.published(table), headers, stats, table_id, parameters)
            yield table.data_type, query_job(f"look_{table.data_type}", statement, limit)
            if table.identity and warehouse.has_columns(table_id, table.identity):
                identity = look_at_identity(table, warehouse.published(table), parameters)
                yield table.data_type, query_job(f"identity_{table.data_type}", identity, limit)
            if table.data_type in STATES:
                state, base = warehouse.state(table, target), warehouse.base_ledger(table, target)
                behind = look_at_state(table, warehouse.published(table), state, base, parameters)
                yield table.data_type, query_job(f"state_{table.data_type}", behind, limit)

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """A query for each table, and one more for each point-in-time table.

        Raises:
            AirflowFailException: no ledgers are loaded.
        """
        if not warehouse.holds(LEDGERS):
            raise AirflowFailException(f"there is no {warehouse.published(LEDGERS)} to look over: load ledgers first")
        planned = list(self._planned(context, warehouse))
        self.looked_at = [data_type for data_type, _ in planned]
        return [job for _, job in planned]

    def reads_and_writes(self, context: Context, warehouse: Warehouse) -> Lineage:
        """The tables that are looked over."""
        return Lineage([warehouse.published_dataset(PUBLISHED[one]) for one in dict.fromkeys(self.looked_at)])

    def done(self, context: Context, warehouse: Warehouse, jobs: Sequence[Any]) -> dict[str, Any]:
        """What was found, and how far behind each table is."""
        findings: list[Finding] = []
        for data_type, job in zip(self.looked_at, jobs, strict=True):
            findings += whole(
                Finding(
                    data_type, Fault(row["fault"]), *(int(row[key]) for key in ("start_ledger", "end_ledger", "found"))
                )
                for row in job.result()
            )
        told = pull_result(context, HEAD_TASK)
        newest = self._newest(warehouse, list(PUBLISHED.values()))
        for data_type, (sequence, closed_at) in newest.items():
            head = NetworkHead(told["sequence"] or sequence, datetime.fromisoformat(told["closed_at"]))
            findings.append(lag_of(data_type, sequence, closed_at, head))
        for finding in findings:
            self.log.info("%s", finding.text)
        return {"checked_at": datetime.now(UTC).isoformat(), "findings": [one.to_json() for one in findings]}


def found_by(context: Context) -> list[Finding]:
    """What the run found."""
    return [Finding.from_json(one) for one in pull_result(context, LOOK_TASK)["findings"]]


class RecordOperator(BigQueryJobsOperator):
    """Writes the findings into `ledger_coverage`."""

    builder = "build_coverage_tasks"

    def prepare(self, context: Context, warehouse: Warehouse) -> None:
        """Makes the table if it is missing."""
        ensure_table(
            warehouse.client,
            f"{warehouse.dataset_id}.{COVERAGE_TABLE_ID}",
            TableLayout(
                warehouse.schema(COVERAGE_TABLE_ID),
                partition_type="DAY",
                partition_field="checked_at",
                cluster_fields=("table_id", "fault"),
                description="What looks over loaded history found",
            ),
        )

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """One statement, which a repeated task repeats without doubling."""
        statement = record(
            warehouse.name(COVERAGE_TABLE_ID),
            context["ti"].run_id,
            datetime.fromisoformat(pull_result(context, LOOK_TASK)["checked_at"]),
            {data_type: warehouse.config.table_id(data_type) for data_type in PUBLISHED},
            found_by(context),
        )
        return [query_job("record", statement, warehouse.config.maximum_bytes_billed)]

    def reads_and_writes(self, context: Context, warehouse: Warehouse) -> Lineage:
        """Rows of what the look found."""
        return Lineage(outputs=[warehouse.table_dataset(COVERAGE_TABLE_ID, COVERAGE_TABLE_ID)])


class ReportOperator(SettingsAtRunTime, BaseOperator):
    """One event for each finding; fails if something is wrong that nothing mends."""

    builder = "build_coverage_tasks"

    def execute(self, context: Context) -> None:
        """Tells.

        Raises:
            AirflowFailException: a table is too far behind, or has faults that are not healed by this run.
        """
        limit, heal = settings(CoverageSettings).coverage_alert_lag, heals(context)
        wrong = []
        for finding in found_by(context):
            late = finding.fault is Fault.LAG and limit and (finding.lag_seconds or 0) > limit
            if finding.fault in NO_FAULTS and not late:
                continue
            self.log.warning("%s", finding.text)
            report_finding(context, finding.text, {"table": finding.data_type, "fault": finding.fault})
            if late or not heal:
                wrong.append(finding.text)
        if wrong:
            advice = "" if heal else f"; the Variable coverage_auto_heal, or {HEAL_PARAM} of a run, loads them again"
            raise AirflowFailException("\n".join([f"{len(wrong)} findings{advice}:", *wrong]))


def heals(context: Context) -> bool:
    """Whether this run mends what it finds: its own param, or else the Variable."""
    asked = context["params"].get(HEAL_PARAM)
    return settings(CoverageSettings).coverage_auto_heal if asked is None else bool(asked)


class PlanHealingOperator(SettingsAtRunTime, BaseOperator):
    """Says which runs mend what was found: its result are `loads`, `rebuilds` and `derived`, which may be empty."""

    builder = "build_coverage_tasks"

    def execute(self, context: Context) -> dict[str, list[PlannedRun]]:
        """Plans them."""
        plan = healing(found_by(context) if heals(context) else [])
        prefix = f"heal__{context['ti'].run_id}"
        return {
            "loads": [range_run(prefix, dag_id, one) for dag_id, one in plan.loads],
            "derived": [range_run(prefix, dag_id, one) for dag_id, one in plan.derived],
            "rebuilds": [run_of(prefix, REBUILD_DAG, one, {TABLE_PARAM: one}) for one in plan.rebuilds],
        }


def build_newest_ledger_task() -> NewestLedgerOperator:
    """A task that asks for the network's newest ledger."""
    return NewestLedgerOperator(task_id=HEAD_TASK, do_xcom_push=True)


def build_look_task() -> LookOperator:
    """A task that looks over all tables."""
    return LookOperator(task_id=LOOK_TASK)


def build_record_task() -> RecordOperator:
    """A task that writes down what was found."""
    return RecordOperator(task_id="record")


def build_report_task() -> ReportOperator:
    """A task that tells people what was found."""
    return ReportOperator(task_id="report")


def build_plan_healing_task() -> PlanHealingOperator:
    """A task that says what has to be loaded again."""
    return PlanHealingOperator(task_id=HEALING_TASK)
