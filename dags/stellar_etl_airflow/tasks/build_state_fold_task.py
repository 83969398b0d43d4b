"""Fold change logs into versions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException

from stellar_etl_airflow.bigquery.versions import Versions
from stellar_etl_airflow.bigquery.warehouse import Warehouse
from stellar_etl_airflow.model.tables import Table
from stellar_etl_airflow.model.versions import Plan, is_due
from stellar_etl_airflow.operators.runtime import settings
from stellar_etl_airflow.operators.versions import VersionsOperator
from stellar_etl_airflow.settings.runs import FoldSettings


class FoldOperator(VersionsOperator):
    """Folds the changes of one type into its versions, in each target that is due."""

    builder = "build_state_fold_task"

    def plans(self, context: Context, versions: Versions) -> Iterator[Plan]:
        """Yield a fold of all changes after the mark; nothing if the target is not due and the run is scheduled."""
        before = versions.folded()
        plan = versions.plan(before, before.cleaned())
        tail = timedelta(hours=settings(FoldSettings).state_tail_hours)
        if context["dag_run"].run_type != "scheduled" or is_due(plan, tail):
            yield plan

    def prepare(self, context: Context, warehouse: Warehouse) -> None:
        """Plan the folds.

        Raises:
            AirflowSkipException: no changes are loaded, no target is due, or the run is for another table.
        """
        if not all(warehouse.holds(self.table, target) for target in warehouse.config.targets):
            raise AirflowSkipException(f"no {self.table.data_type} are loaded yet")
        super().prepare(context, warehouse)

    def check_planned(self, anything: bool) -> None:
        """Skip the task if there is nothing to fold.

        Raises:
            AirflowSkipException: no target is due.
        """
        if not anything:
            raise AirflowSkipException(f"the views read few changes of {self.table.data_type}: no fold is due")


def build_state_fold_task(table: Table) -> FoldOperator:
    """Return a task that folds a type's changes. The table's pool makes it the only writer."""
    return FoldOperator(task_id=f"fold_{table.data_type}", table=table, pool=table.pool)
