"""The rebuild of versions from their sources."""

from __future__ import annotations

from collections.abc import Iterator

from airflow.sdk import Context

from stellar_etl_airflow.bigquery.tables import WarehouseError
from stellar_etl_airflow.bigquery.versions import Versions
from stellar_etl_airflow.model.tables import Table
from stellar_etl_airflow.model.versions import Plan
from stellar_etl_airflow.operators.versions import VersionsOperator


class RebuildStateOperator(VersionsOperator):
    """Rebuilds the versions of one type, from the full load on if there is one, otherwise from the first change."""

    builder = "build_state_rebuild_task"

    def plans(self, context: Context, versions: Versions) -> Iterator[Plan]:
        """One plan: the mark goes back, the full load is brought in, and all changes after it are folded.

        Raises:
            WarehouseError: the full load that the versions begin with is not kept.
        """
        before = versions.folded()
        kept = versions.warehouse.base_ledger(self.table, versions.target)
        if before.start_ledger and kept != before.start_ledger:
            raise WarehouseError(
                f"{versions.full_id} begins with the full load of ledger {before.start_ledger}, and the one that is "
                f"kept is of ledger {kept}: clear the failed tasks of the DAG bucket_list_export, or run it again"
            )
        yield versions.plan(before, before.rebuilt(), begins=before.start_ledger > 0)


def build_state_rebuild_task(table: Table) -> RebuildStateOperator:
    """A task that rebuilds a type's versions, as the only writer of its tables."""
    return RebuildStateOperator(task_id=f"rebuild_{table.data_type}", table=table, pool=table.pool)
