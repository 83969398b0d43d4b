"""What has to be there before the first run: Variables, datasets, bucket, triggerer, and the exporter's image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from airflow.providers.cncf.kubernetes.hooks.kubernetes import KubernetesHook
from airflow.providers.google.cloud.hooks.gcs import GCSHook
from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowFailException
from google.api_core.exceptions import GoogleAPICallError, NotFound

from stellar_etl_airflow.bigquery.tables import WarehouseError, read_dataset
from stellar_etl_airflow.export.retention import retention_problem
from stellar_etl_airflow.model.network import NETWORK_LABEL, network_hash
from stellar_etl_airflow.operators.alerts import report_deadline
from stellar_etl_airflow.operators.bigquery_jobs import client_for
from stellar_etl_airflow.operators.pods import StellarPodOperator, kubeconfig_of
from stellar_etl_airflow.operators.preflight import PreflightTrigger
from stellar_etl_airflow.operators.runtime import GOOGLE_CONNECTION, SettingsAtRunTime, settings
from stellar_etl_airflow.settings.base import SettingsError
from stellar_etl_airflow.settings.export import ExportSettings
from stellar_etl_airflow.settings.groups import GROUPS
from stellar_etl_airflow.settings.pods import PodSettings
from stellar_etl_airflow.settings.warehouse import WarehouseSettings


def fail_with(problems: Sequence[str]) -> None:
    """Fail the task if there are problems; a retry finds the same.

    Raises:
        AirflowFailException: with a line for each problem.
    """
    if problems:
        raise AirflowFailException("\n".join([f"{len(problems)} problems:", *problems]))


class CheckVariablesOperator(SettingsAtRunTime, BaseOperator):
    """Reads each Airflow Variable of the project, as tasks do."""

    builder = "build_preflight_tasks"

    def execute(self, context: Context) -> None:
        """Read them.

        Raises:
            AirflowFailException: naming each that is missing or wrong.
        """
        problems = []
        for group in GROUPS:
            try:
                settings(group)
            except SettingsError as error:
                problems.append(str(error))
        fail_with(problems)


class CheckStoresOperator(SettingsAtRunTime, BaseOperator):
    """Looks at the datasets and the bucket: whether they are there, of which network, where, and kept for how long."""

    builder = "build_preflight_tasks"

    def execute(self, context: Context) -> None:
        """Check.

        Raises:
            AirflowFailException: naming each problem.
        """
        warehouse, export = settings(WarehouseSettings), settings(ExportSettings)
        client = client_for(warehouse)
        problems, locations = [], set()
        for target in warehouse.targets:
            try:
                dataset = read_dataset(client, target.dataset_id)
            except (WarehouseError, GoogleAPICallError) as error:
                problems.append(str(error))
                continue
            locations.add(str(dataset.location))
            if dataset.labels.get(NETWORK_LABEL, network_hash(export.passphrase)) != network_hash(export.passphrase):
                problems.append(
                    f"dataset {target.dataset_id} holds the ledgers of another network than the Variables name"
                )
        if not export.volume_config:
            problems += self._bucket_problems(export, locations)
        fail_with(problems)

    def _bucket_problems(self, export: ExportSettings, locations: Iterable[str]) -> list[str]:
        name = export.gcs_exported_data_bucket_name
        try:
            bucket = GCSHook(gcp_conn_id=GOOGLE_CONNECTION).get_conn().get_bucket(name)
        except NotFound:
            return [
                f"bucket gs://{name} does not exist: correct the Variable 'gcs_exported_data_bucket_name', or make it"
            ]
        except GoogleAPICallError as error:
            return [f"bucket gs://{name} can't be read: {error}"]
        rules = list(bucket.lifecycle_rules)
        wrong = retention_problem(name, export.gcs_exported_object_prefix, rules, export.export_days)
        return [*location_problems(name, str(bucket.location), locations), *([wrong] if wrong else [])]


def location_problems(name: str, location: str, locations: Iterable[str]) -> list[str]:
    """Return which datasets do not lie where the bucket of exports lies.

    Args:
        name: the bucket.
        location: where it lies.
        locations: where the datasets lie.
    """
    return [
        f"bucket gs://{name} lies in {location.lower()}, a dataset in {other}: use one location for both"
        for other in sorted({one.lower() for one in locations} - {location.lower()})
    ]


class CheckTriggererOperator(SettingsAtRunTime, BaseOperator):
    """Leaves for the triggerer, which looks at what it can import and read.

    If the triggerer can't import this package, the task fails with `ModuleNotFoundError` in place of a problem's text.
    """

    builder = "build_preflight_tasks"

    def execute(self, context: Context) -> None:
        """Leave."""
        pods = settings(PodSettings)
        file = kubeconfig_of(pods)
        self.defer(
            trigger=PreflightTrigger(
                callback=f"{report_deadline.__module__}.{report_deadline.__qualname__}",
                connection=KubernetesHook.default_conn_name,
                config_dict=yaml.safe_load(Path(file).expanduser().read_text()) if file else None,
            ),
            method_name=self.report.__name__,
        )

    def report(self, context: Context, event: Mapping[str, Any]) -> None:
        """Come back.

        Raises:
            AirflowFailException: naming what the triggerer lacks.
        """
        fail_with(event["problems"])


class VersionOperator(StellarPodOperator):
    """Runs `stellar-etl version` in a pod: nodes can pull the image, and it is an exporter. The log has the version."""

    builder = "build_preflight_tasks"

    def pod_arguments(self, context: Context) -> list[str]:
        """`version`."""
        return ["version"]


def build_preflight_tasks() -> list[BaseOperator]:
    """Tasks that look at what the loading DAGs need, each at one part."""
    return [
        CheckVariablesOperator(task_id="check_variables"),
        CheckStoresOperator(task_id="check_datasets_and_bucket"),
        CheckTriggererOperator(task_id="check_triggerer"),
        VersionOperator(task_id="run_image"),
    ]
