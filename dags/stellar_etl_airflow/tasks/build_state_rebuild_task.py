"""Rebuild versions from their sources."""

from __future__ import annotations

from collections.abc import Iterator

from airflow.sdk import Context

from stellar_etl_airflow.bigquery.tables import WarehouseError
from stellar_etl_airflow.bigquery.versions import Versions
from stellar_etl_airflow.model.tables import Table
from stellar_etl_airflow.model.versions import Plan
from stellar_etl_airflow.operators.versions import VersionsOperator


class RebuildStateOperator(VersionsOperator):
    """Rebuilds the versions of one type, from the full load if there is one, or else from the first change."""

    builder = "build_state_rebuild_task"

    def plans(self, context: Context, versions: Versions) -> Iterator[Plan]:
        """Yield one plan: set the mark back, load the full load, and fold all later changes.

        Raises:
            WarehouseError: the full load that the versions begin with is no longer stored.
        """
        before = versions.folded()
        kept = versions.warehouse.base_ledger(self.table, versions.target)
        if before.start_ledger and kept != before.start_ledger:
            raise WarehouseError(
                f"{versions.full_id} begins with the full load of ledger {before.start_ledger}, but the stored one is "
                f"of ledger {kept}: clear the failed tasks of the DAG bucket_list_export, or run it again"
            )
        yield versions.plan(before, before.rebuilt(), begins=before.start_ledger > 0)


def build_state_rebuild_task(table: Table) -> RebuildStateOperator:
    """Return a task that rebuilds a type's versions. The table's pool makes it the only writer."""
    return RebuildStateOperator(task_id=f"rebuild_{table.data_type}", table=table, pool=table.pool)
