"""Variables of dbt builds: image and dataset."""

from __future__ import annotations

from stellar_etl_airflow.settings.base import SettingsGroup, variable


class DbtSettings(SettingsGroup):
    """The image and the dataset of dbt builds."""

    dbt_image_name: str = variable(
        shipped="",
        description="the image with dbt and a dbt project, for `build_dbt_task`; empty: no models are built",
        when="your DAG builds dbt models: [dbt.md](dbt.md)",
    )
    dbt_dataset: str = variable(
        shipped="",
        description="the dataset of `bq_project` in which dbt creates models",
        when="`dbt_image_name` is set",
    )

    def check_together(self) -> None:
        """Check that the dataset is set if the image is.

        Raises:
            ValueError: it is not; the message names both.
        """
        if self.dbt_image_name and not self.dbt_dataset:
            raise ValueError("'dbt_image_name' is set and 'dbt_dataset' is not: set both, or neither")
