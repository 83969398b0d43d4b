"""Build models of a dbt project, in a pod with your own image."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, timedelta
from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException

from stellar_etl_airflow.operators.pods import StellarPodOperator
from stellar_etl_airflow.operators.runtime import settings
from stellar_etl_airflow.settings.dbt import DbtSettings
from stellar_etl_airflow.settings.warehouse import WarehouseSettings


class DbtOperator(StellarPodOperator):
    """Runs `dbt build` of selected models in a pod.

    A retry finds the pod of an earlier try that is still running, so that two pods never build the same models. The
    first day that incremental models build again depends on when the run was due, so it is the same for each try.

    Args:
        select: arguments of `dbt build --select`: names of models, or tags such as `tag:stellar`.
        days: how many days before the run incremental models build again, passed as `DBT_FROM_DAY`.
        kwargs: arguments of the pod operator.
    """

    builder = "build_dbt_task"

    def __init__(self, *, select: Sequence[str], days: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cmds, self.select, self.days = ["dbt"], tuple(select), days

    def pod_arguments(self, context: Context) -> list[str]:
        """Return `build` and the selected models. The image contains the project, at `DBT_PROJECT_DIR`."""
        return ["build", "--fail-fast", "--select", *self.select]

    def pod_environment(self, context: Context) -> dict[str, str]:
        """Return the datasets that the models read and write, and the first day to build again."""
        warehouse, since = settings(WarehouseSettings), context["dag_run"].run_after - timedelta(days=self.days)
        return {
            "DBT_PROJECT": warehouse.bq_project,
            "DBT_SOURCE_DATASET": warehouse.bq_dataset,
            "DBT_DATASET": settings(DbtSettings).dbt_dataset,
            "DBT_FROM_DAY": f"{since.astimezone(UTC):%Y-%m-%d}",
            "DBT_MAXIMUM_BYTES_BILLED": str(warehouse.maximum_bytes_billed),
        }

    def apply_settings(self, context: Context) -> None:
        """Set the pod's fields from the Variables.

        Raises:
            AirflowSkipException: the Variable `dbt_image_name` is empty.
        """
        own = settings(DbtSettings)
        if not own.dbt_image_name:
            raise AirflowSkipException("Airflow Variable 'dbt_image_name' is empty: no models are built")
        super().apply_settings(context)
        self.image = own.dbt_image_name


def build_dbt_task(select: Sequence[str], *, days: int = 2, task_id: str = "dbt_build") -> DbtOperator:
    """Return a task that builds models of a dbt project, for a DAG that the watermark triggers: docs/dbt.md.

    Args:
        select: names of models, or tags such as `tag:stellar`.
        days: how many days before the run incremental models build again.
        task_id: the task's name.
    """
    return DbtOperator(task_id=task_id, select=select, days=days)
