"""Models of a dbt project, built in a pod with an image of your own."""

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

    A retry finds the pod of the earlier try if it still runs: two of them never build the same models. The first day
    that incremental models make again depends on when the run was due: it is the same at each try.

    Args:
        select: what `dbt build --select` takes: names of models, or tags as `tag:stellar`.
        days: how many days before the run incremental models make again, as `DBT_FROM_DAY`.
        kwargs: those of the pod operator.
    """

    builder = "build_dbt_task"

    def __init__(self, *, select: Sequence[str], days: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cmds, self.select, self.days = ["dbt"], tuple(select), days

    def pod_arguments(self, context: Context) -> list[str]:
        """`build` and the selected models; the image holds the project, and says where by `DBT_PROJECT_DIR`."""
        return ["build", "--fail-fast", "--select", *self.select]

    def pod_environment(self, context: Context) -> dict[str, str]:
        """Where the models read and write, and from which day on they are made again."""
        warehouse, since = settings(WarehouseSettings), context["dag_run"].run_after - timedelta(days=self.days)
        return {
            "DBT_PROJECT": warehouse.bq_project,
            "DBT_SOURCE_DATASET": warehouse.bq_dataset,
            "DBT_DATASET": settings(DbtSettings).dbt_dataset,
            "DBT_FROM_DAY": f"{since.astimezone(UTC):%Y-%m-%d}",
            "DBT_MAXIMUM_BYTES_BILLED": str(warehouse.maximum_bytes_billed),
        }

    def apply_settings(self, context: Context) -> None:
        """Sets the pod's fields from the Variables.

        Raises:
            AirflowSkipException: no Variable names an image.
        """
        own = settings(DbtSettings)
        if not own.dbt_image_name:
            raise AirflowSkipException("Airflow Variable 'dbt_image_name' is empty: no models are built")
        super().apply_settings(context)
        self.image = own.dbt_image_name


def build_dbt_task(select: Sequence[str], *, days: int = 2, task_id: str = "dbt_build") -> DbtOperator:
    """A task that builds models of a dbt project; put it in a DAG that the watermark triggers: docs/dbt.md.

    Args:
        select: names of models, or tags as `tag:stellar`.
        days: how many days before the run incremental models make again.
        task_id: the task's name.
    """
    return DbtOperator(task_id=task_id, select=select, days=days)
