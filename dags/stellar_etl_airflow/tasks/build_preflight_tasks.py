"""Checks before the first run: Variables, datasets, bucket, triggerer, and the exporter's image."""

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
from stellar_etl_airflow.operators.runtime import GOOGLE_CONNECTION, SettingsAtRunTime, all_settings, settings
from stellar_etl_airflow.settings.base import SettingsError
from stellar_etl_airflow.settings.export import ExportSettings
from stellar_etl_airflow.settings.groups import GROUPS
from stellar_etl_airflow.settings.pods import PodSettings
from stellar_etl_airflow.settings.warehouse import WarehouseSettings


def fail_with(problems: Sequence[str]) -> None:
    """Fail the task if there are problems. A retry would find the same.

    Raises:
        AirflowFailException: there are problems; the message has a line per problem.
    """
    if problems:
        raise AirflowFailException("\n".join([f"{len(problems)} problems:", *problems]))


class CheckVariablesOperator(SettingsAtRunTime, BaseOperator):
    """Reads every Airflow Variable of the project, as the other tasks do."""

    builder = "build_preflight_tasks"

    def execute(self, context: Context) -> None:
        """Read the Variables.

        Raises:
            AirflowFailException: Variables are missing or invalid; the message names each.
        """
        problems = []
        for group in GROUPS:
            try:
                all_settings(group)
            except SettingsError as error:
                problems.append(str(error))
        fail_with(problems)


class CheckStoresOperator(SettingsAtRunTime, BaseOperator):
    """Checks the datasets and the bucket: existence, network, location and lifecycle rules."""

    builder = "build_preflight_tasks"

    def execute(self, context: Context) -> None:
        """Check datasets and bucket.

        Raises:
            AirflowFailException: there are problems; the message names each.
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
                    f"dataset {target.dataset_id} has ledgers of another network than that of the Variables"
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
                f"bucket gs://{name} does not exist: correct the Variable 'gcs_exported_data_bucket_name', or create it"
            ]
        except GoogleAPICallError as error:
            return [f"bucket gs://{name} can't be read: {error}"]
        rules = list(bucket.lifecycle_rules)
        wrong = retention_problem(name, export.gcs_exported_object_prefix, rules, export.export_days)
        return [*location_problems(name, str(bucket.location), locations), *([wrong] if wrong else [])]


def location_problems(name: str, location: str, locations: Iterable[str]) -> list[str]:
    """Return a message per dataset location that differs from the bucket's location.

    Args:
        name: the bucket.
        location: the bucket's location.
        locations: the datasets' locations.
    """
    return [
        f"bucket gs://{name} is in {location.lower()}, but a dataset is in {other}: use one location for both"
        for other in sorted({one.lower() for one in locations} - {location.lower()})
    ]


class CheckTriggererOperator(SettingsAtRunTime, BaseOperator):
    """Defers to the triggerer, which checks its imports and files.

    If the triggerer cannot import this package, the task fails with `ModuleNotFoundError`.
    """

    builder = "build_preflight_tasks"

    def execute(self, context: Context) -> None:
        """Defer to the triggerer."""
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
        """Resume with the triggerer's result.

        Raises:
            AirflowFailException: the triggerer has problems; the message names each.
        """
        fail_with(event["problems"])


class VersionOperator(StellarPodOperator):
    """Runs `stellar-etl version` in a pod, to check that nodes can pull the image. The log has the version."""

    builder = "build_preflight_tasks"

    def pod_arguments(self, context: Context) -> list[str]:
        """Return the command `version`."""
        return ["version"]


def build_preflight_tasks() -> list[BaseOperator]:
    """Return the tasks that each check one requirement of the loading DAGs."""
    return [
        CheckVariablesOperator(task_id="check_variables"),
        CheckStoresOperator(task_id="check_datasets_and_bucket"),
        CheckTriggererOperator(task_id="check_triggerer"),
        VersionOperator(task_id="run_image"),
    ]
