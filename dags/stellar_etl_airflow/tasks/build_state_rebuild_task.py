"""Point-in-time tables, recomputed from what they are made of."""

from __future__ import annotations

from collections.abc import Sequence

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException

from stellar_etl_airflow.bigquery.jobs import Job
from stellar_etl_airflow.bigquery.warehouse import Warehouse
from stellar_etl_airflow.model.coverage import TABLE_PARAM
from stellar_etl_airflow.model.lineage import Lineage
from stellar_etl_airflow.model.tables import Table
from stellar_etl_airflow.operators.bigquery_jobs import TableJobsOperator


class RebuildStateOperator(TableJobsOperator):
    """Recomputes the point-in-time table of one type from its table of changes, and from the full load under it."""

    builder = "build_state_rebuild_task"

    def prepare(self, context: Context, warehouse: Warehouse) -> None:
        """Leaves out what was not asked for; makes the tables that lack.

        Raises:
            AirflowSkipException: the run was asked for another table.
        """
        asked = context["params"].get(TABLE_PARAM)
        if asked not in (None, self.table.data_type):
            raise AirflowSkipException(f"the run was asked for {asked}")
        warehouse.ensure_published(self.table)

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """One statement for each target: a reader sees the old rows or the new ones."""
        return warehouse.jobs("rebuild", lambda target: warehouse.rebuild(self.table, target))

    def reads_and_writes(self, context: Context, warehouse: Warehouse) -> Lineage:
        """Of each target the changes and the full load, if there is one, into the point-in-time table."""
        targets = warehouse.config.targets
        changes = [warehouse.published_dataset(self.table, target) for target in targets]
        bases = [warehouse.base_dataset(self.table, one) for one in targets if warehouse.base_ledger(self.table, one)]
        return Lineage(changes + bases, [warehouse.state_dataset(self.table, target) for target in targets])


def build_state_rebuild_task(table: Table) -> RebuildStateOperator:
    """A task that recomputes a type's point-in-time table, as the only one that writes it."""
    return RebuildStateOperator(task_id=f"rebuild_{table.data_type}", table=table, pool=table.pool)
