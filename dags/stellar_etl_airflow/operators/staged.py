"""Tasks that read a run's staging table, which may be deleted or older than a published export."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowFailException
from google.api_core.exceptions import NotFound

from stellar_etl_airflow.bigquery.warehouse import Warehouse
from stellar_etl_airflow.model.batch import STAGING_DAYS
from stellar_etl_airflow.model.ranges import LedgerRange, joined
from stellar_etl_airflow.model.schema import Field
from stellar_etl_airflow.model.tables import BATCH_STATS_TABLE_ID
from stellar_etl_airflow.operators.bigquery_jobs import TableJobsOperator
from stellar_etl_airflow.operators.runtime import EXPORT_TASK, batch_of, find_result
from stellar_etl_airflow.settings.warehouse import Target
from stellar_etl_airflow.sql.newer import newer_loads, newer_rows
from stellar_etl_airflow.sql.publish import Attempt
from stellar_etl_airflow.sql.statement import batch_parameters


class StagedTableOperator(TableJobsOperator):
    """Reads the run's staging table."""

    def staged_fields(self, context: Context, warehouse: Warehouse) -> Sequence[Field]:
        """Return the schema of the staging table.

        Raises:
            AirflowFailException: the table does not exist; the message names the task that loads it again.
        """
        staging = self.staging_id(context)
        try:
            return warehouse.fields(warehouse.name(staging))
        except NotFound:
            load = f"{self.table.data_type}.load"
            files = "" if self.table.derivation else f"; or {EXPORT_TASK!r}, if the exported files were deleted too"
            raise AirflowFailException(
                f"the staging table {warehouse.dataset_id}.{staging} does not exist: the run's last task deletes it, "
                f"and BigQuery deletes it after {STAGING_DAYS} days. Clear the task {load!r} with its downstream "
                f"tasks{files}"
            ) from None

    def attempt(self, context: Context, warehouse: Warehouse, target: Target) -> tuple[Attempt, datetime]:
        """Return the batch's export attempt, with its ledgers that newer attempts have published in a target.

        If two runs export the same ledgers at the same time, the rows of the newer attempt remain, whichever run
        publishes first. This method waits for the jobs that write the table. A job that is planned from its result is
        repeated if another one ends after this check (`bigquery.writers`).

        Returns:
            The attempt, and the time of the check by BigQuery's clock.

        Raises:
            AirflowFailException: the newer attempt began after this run's rows were staged: the ledgers were loaded
                again, and this run was cleared later.
        """
        batch = batch_of(context)
        table_id, stats = warehouse.config.table_id(self.table.data_type), warehouse.name(BATCH_STATS_TABLE_ID)
        parameters, since = batch_parameters(batch), batch.attempt.started_at
        published = warehouse.published(self.table, target)
        warehouse.wait_for_writers_of(published)
        queries = [
            warehouse.ask(newer_loads(stats, table_id, batch.range, since)),
            warehouse.ask(newer_rows(self.table, published, parameters, since)),
        ]
        found = [row for query in queries for row in query.result()]
        self.refuse_if_stale(context, found)
        for row in found:
            self.log.warning(
                "%s of ledgers %d to %d keep the rows of the export attempt of %s, which is newer than %s",
                self.table.data_type,
                row["start_ledger"],
                row["end_ledger"],
                row["exported_at"],
                batch.attempt.name,
            )
        ranges = joined(
            LedgerRange(max(row["start_ledger"], batch.range.start), min(row["end_ledger"], batch.range.end))
            for row in found
        )
        return Attempt(since, ranges), min(query.created for query in queries)

    def refuse_if_stale(self, context: Context, newer: Sequence[Any], *, full_load: bool = False) -> None:
        """Reject rows that were staged before a newer export attempt began.

        Args:
            context: the task's context.
            newer: `start_ledger`, `end_ledger` and `exported_at` of newer attempts.
            full_load: whether any newer attempt suffices for rejection.

        Raises:
            AirflowFailException: there is a newer attempt; the message names its ledgers and the task to clear.
        """
        loaded = find_result(context, f"{self.table.data_type}.load")
        staged_at = datetime.fromisoformat(loaded["ended_at"]) if loaded and not full_load else None
        stale = [row for row in newer if staged_at is None or row["exported_at"] > staged_at]
        if stale:
            newest, batch = max(stale, key=lambda row: row["exported_at"]), batch_of(context)
            raise AirflowFailException(
                f"{self.table.data_type} of ledgers {newest['start_ledger']} to {newest['end_ledger']} were exported "
                f"again at {newest['exported_at']:%Y-%m-%d %H:%M:%S} UTC and published, after this run had staged "
                f"ledgers {batch.range.start} to {batch.range.end} (export attempt {batch.attempt.name}): its older "
                f"rows are not published. To load the ledgers again, clear the task {EXPORT_TASK!r} with its "
                "downstream tasks"
            )
