"""Change logs, folded into versions."""

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
        """All changes from the mark on; none of a target that is not due, unless a user triggered the run."""
        before = versions.folded()
        plan = versions.plan(before, before.cleaned())
        tail = timedelta(hours=settings(FoldSettings).state_tail_hours)
        if context["dag_run"].run_type != "scheduled" or is_due(plan, tail):
            yield plan

    def prepare(self, context: Context, warehouse: Warehouse) -> None:
        """Plans.

        Raises:
            AirflowSkipException: no changes are loaded, no target is due, or the run was asked for another table.
        """
        if not all(warehouse.holds(self.table, target) for target in warehouse.config.targets):
            raise AirflowSkipException(f"no {self.table.data_type} are loaded yet")
        super().prepare(context, warehouse)

    def check_planned(self, anything: bool) -> None:
        """Skips a task that has nothing to do.

        Raises:
            AirflowSkipException: no target is due.
        """
        if not anything:
            raise AirflowSkipException(f"the views read few changes of {self.table.data_type}: nothing is due")


def build_state_fold_task(table: Table) -> FoldOperator:
    """A task that folds a type's changes, as the only one that writes its tables."""
    return FoldOperator(task_id=f"fold_{table.data_type}", table=table, pool=table.pool)
