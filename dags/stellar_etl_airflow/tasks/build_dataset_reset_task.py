"""Removal of loaded rows: count them, wait for a user's approval, then remove them table by table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from stellar_etl_airflow.bigquery.jobs import Job, query_job
from stellar_etl_airflow.bigquery.tables import forget_network
from stellar_etl_airflow.bigquery.versions import Versions, versions_of
from stellar_etl_airflow.bigquery.warehouse import Warehouse
from stellar_etl_airflow.model.coverage import Fault, Finding
from stellar_etl_airflow.model.lineage import Lineage, table_at
from stellar_etl_airflow.model.ranges import LAST_LEDGER, LedgerRange, RangeError
from stellar_etl_airflow.model.reset import Removal, requested_removal
from stellar_etl_airflow.model.tables import BATCH_STATS_TABLE_ID, COVERAGE_TABLE_ID, PUBLISHED, Table
from stellar_etl_airflow.operators.bigquery_jobs import BigQueryJobsOperator, TableJobsOperator
from stellar_etl_airflow.settings.warehouse import Target
from stellar_etl_airflow.sql.batch_stats import forget_stats
from stellar_etl_airflow.sql.coverage import record
from stellar_etl_airflow.sql.publish import count_rows
from stellar_etl_airflow.sql.versions import base_table_id, current_view_id, history_view_id, versions_table_id

PLAN_TASK = "plan"
APPROVE_TASK = "approve"
DRY_RUN_PARAM = "dry_run"

APPROVAL_TIMEOUT = timedelta(days=7)
"""Timeout of the approval. Then the try fails, and nothing is removed."""


def removal_of(context: Context) -> Removal:
    """Return the removal that the run's params request.

    Raises:
        AirflowFailException: the params contradict each other. A retry would not change them.
    """
    try:
        return requested_removal(context["params"])
    except RangeError as error:
        raise AirflowFailException(str(error)) from None


def _ids_beside(table: Table, table_id: str) -> list[str]:
    """Return the names of a table's views and tables of versions, in the order in which they can be dropped."""
    if not table.entry_keys:
        return []
    return [name(table_id) for name in (current_view_id, history_view_id, versions_table_id, base_table_id)]


class PlanResetOperator(BigQueryJobsOperator):
    """Counts the rows to remove. Result: the counts, and a text for the approval."""

    builder = "build_dataset_reset_task"

    def _named(self, context: Context, warehouse: Warehouse, target: Target) -> dict[str, tuple[Table, str]]:
        """Return the existing tables, by `dataset.table`."""
        tables = [PUBLISHED[data_type] for data_type in removal_of(context).data_types]
        names = {table: warehouse.config.table_id(table.data_type) for table in tables}
        return {
            f"{target.dataset}.{table_id}": (table, warehouse.name(table_id, target))
            for table, table_id in names.items()
            if warehouse.holds(table, target)
        }

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """Return one query per target that has such a table."""
        ledgers, limit = removal_of(context).ledgers, warehouse.config.maximum_bytes_billed
        named = [(target, self._named(context, warehouse, target)) for target in warehouse.config.targets]
        self.counted = [(target, table) for target, names in named for table, _ in names.values()]
        return [
            query_job(f"count_{target.label}", count_rows(names, ledgers), limit) for target, names in named if names
        ]

    def reads_and_writes(self, context: Context, warehouse: Warehouse) -> Lineage:
        """Return the tables whose rows are counted."""
        return Lineage([warehouse.published_dataset(table, target) for target, table in self.counted])

    def done(self, context: Context, warehouse: Warehouse, jobs: Sequence[Any]) -> dict[str, Any]:
        """Return the counts by table."""
        removal = removal_of(context)
        rows = {row["table_id"]: int(row["row_count"]) for job in jobs for row in job.result()}
        of = f"of ledgers {removal.ledgers.start} to {removal.ledgers.end}" if removal.ledgers else "the whole table"
        lines = [f"- `{table_id}`: {count} rows, {of}" for table_id, count in rows.items()]
        if removal.network:
            lines.append("- the network label: the dataset can then be used for another network")
        text = "\n".join(["This would be removed permanently:", *lines]) if lines else "There is nothing to remove."
        self.log.info("%s", text)
        return {"rows": rows, "text": text}


class ApproveResetOperator(ApprovalOperator):
    """Waits for approval, unless the run is a dry run."""

    def execute(self, context: Context) -> None:
        """Ask for approval.

        Raises:
            AirflowSkipException: the run is a dry run.
        """
        if context["params"][DRY_RUN_PARAM]:
            raise AirflowSkipException(f"dry run: nothing is removed; set {DRY_RUN_PARAM}=false to request approval")
        super().execute(context)


class RemoveOperator(TableJobsOperator):
    """Removes the requested rows of one table, and of its versions."""

    builder = "build_dataset_reset_task"
    waits_for_budget = False

    def prepare(self, context: Context, warehouse: Warehouse) -> None:
        """Drop the tables, if they are to be removed as a whole.

        Raises:
            AirflowSkipException: the run does not remove this table.
        """
        removal = removal_of(context)
        if self.table.data_type not in removal.data_types:
            raise AirflowSkipException(f"the run removes {', '.join(removal.data_types)}")
        self._note(context, warehouse, removal.ledgers or LedgerRange(1, LAST_LEDGER))
        if removal.ledgers is not None:
            return
        table_id = warehouse.config.table_id(self.table.data_type)
        for versions in versions_of(warehouse, self.table):
            versions.drop_function()
        for target in warehouse.config.targets:
            for name in (*_ids_beside(self.table, table_id), table_id):
                warehouse.drop(f"{target.dataset_id}.{name}")
                self.log.info("dropped %s.%s", target.dataset_id, name)

    def _note(self, context: Context, warehouse: Warehouse, ledgers: LedgerRange) -> None:
        """Record the removed ledgers before the rows are deleted, so that the watermark excludes them from now on."""
        if not warehouse.has(BATCH_STATS_TABLE_ID):
            return
        warehouse.ensure_coverage()
        ti, data_type = context["ti"], self.table.data_type
        finding = Finding(data_type, Fault.REMOVED, ledgers.start, ledgers.end, ledgers.end - ledgers.start + 1)
        names, run = {data_type: warehouse.config.table_id(data_type)}, f"{ti.run_id} {ti.task_id}"
        for statement in record(warehouse.name(COVERAGE_TABLE_ID), run, datetime.now(UTC), names, [finding]):
            warehouse.query(statement)

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """Return the DELETE statements of each target, then one that deletes the rows of the batch stats."""
        removal, limit = removal_of(context), warehouse.config.maximum_bytes_billed
        table, table_id = self.table, warehouse.config.table_id(self.table.data_type)
        jobs = list[Job]()
        self.first_of: dict[int, Target] = {}
        if removal.ledgers is not None:
            for target in warehouse.config.targets:
                if not warehouse.holds(table, target):
                    continue
                self.first_of[len(jobs)] = target
                jobs += warehouse.delete_jobs(table, removal.ledgers, context["dag_run"].run_after, target)
        if warehouse.has(BATCH_STATS_TABLE_ID):
            stats = warehouse.name(BATCH_STATS_TABLE_ID)
            table_ids = [table_id, *([versions_table_id(table_id)] if table.entry_keys and not removal.ledgers else [])]
            jobs.append(query_job("forget", forget_stats(stats, table_ids, removal.ledgers), limit))
        return jobs

    def before(self, context: Context, warehouse: Warehouse, number: int) -> None:
        """Set the views on versions back, to read the change log from the first deleted ledger on."""
        ledgers, target = removal_of(context).ledgers, self.first_of.get(number)
        if ledgers is not None and target is not None and self.table.entry_keys:
            Versions(warehouse, self.table, target).set_back_to_delete(ledgers)

    def reads_and_writes(self, context: Context, warehouse: Warehouse) -> Lineage:
        """Return the table of each target that lost rows, or the dropped tables and views."""
        targets, table_id = warehouse.config.targets, warehouse.config.table_id(self.table.data_type)
        if removal_of(context).ledgers is not None:
            return Lineage(outputs=[warehouse.published_dataset(self.table, target) for target in targets])
        names = (*_ids_beside(self.table, table_id), table_id)
        dropped = [table_at(f"{one.dataset_id}.{name}", dropped=True) for one in targets for name in names]
        return Lineage(outputs=dropped)


class ForgetNetworkOperator(BigQueryJobsOperator):
    """Removes the network label from each target, after all tables are dropped."""

    builder = "build_dataset_reset_task"

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """Return no jobs: a label is changed by a request."""
        return []

    def prepare(self, context: Context, warehouse: Warehouse) -> None:
        """Remove the label.

        Raises:
            AirflowSkipException: the run keeps the network label.
        """
        if not removal_of(context).network:
            raise AirflowSkipException("the run keeps the network label")
        for target in warehouse.config.targets:
            forget_network(warehouse.client, target.dataset_id)
            self.log.info("%s can now be used for another network", target.dataset_id)


def build_plan_reset_task() -> PlanResetOperator:
    """Return a task that counts the rows to remove."""
    return PlanResetOperator(task_id=PLAN_TASK)


def build_approve_reset_task() -> ApproveResetOperator:
    """Return a task that waits until a user approves the plan. A dry run ends here."""
    return ApproveResetOperator(
        task_id=APPROVE_TASK,
        subject="Remove rows from {{ var.value.bq_dataset }}?",
        body="{{ ti.xcom_pull(task_ids='plan')['text'] }}",
        response_timeout=APPROVAL_TIMEOUT,
    )


def build_remove_task(table: Table) -> RemoveOperator:
    """Return a task that removes the requested rows of a table. The table's pool makes it the only writer."""
    return RemoveOperator(task_id=f"remove_{table.data_type}", table=table, pool=table.pool)


def build_forget_network_task() -> ForgetNetworkOperator:
    """Return a task that removes the network label, if requested and all tables were removed."""
    return ForgetNetworkOperator(task_id="forget_network", trigger_rule="none_failed_min_one_success")
