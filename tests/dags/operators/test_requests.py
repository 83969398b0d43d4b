"""The operators' requests are valid by Google's API descriptions."""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import replace

import pytest
from airflow.secrets.environment_variables import EnvironmentVariablesBackend

from stellar_etl_airflow.model.tables import LEDGERS
from stellar_etl_airflow.operators.runtime import VERIFY_TASK
from stellar_etl_airflow.tasks.build_apply_gcs_changes_to_bq_task import build_apply_gcs_changes_to_bq_task
from stellar_etl_airflow.tasks.build_check_task import build_check_task
from stellar_etl_airflow.tasks.build_export_task import build_export_task, build_verify_task
from stellar_etl_airflow.tasks.build_gcs_to_bq_task import build_gcs_to_bq_task
from tests.dags.conftest import TaskInstance
from tests.google_api import assert_right, methods_of, read_record
from tests.local import emulators

METHODS = {
    "bigquery.datasets.get",
    "bigquery.jobs.get",
    "bigquery.jobs.getQueryResults",
    "bigquery.jobs.insert",
    "bigquery.jobs.list",
    "bigquery.tables.get",
    "bigquery.tables.insert",
    "storage.objects.get",
    "storage.objects.insert",
    "storage.objects.list",
}
"""The requests that a batch makes at least."""


@pytest.fixture
def recorded(start, client, bucket, warehouse_environment, warehouse_server, make_context, record):
    """The requests of one batch, from the export's pod to the merge, and of the earlier tests."""
    batch: dict = {}
    for build in (build_export_task, build_verify_task):
        task, context = start(build([LEDGERS]))
        batch = task.execute(context)
    make_context.xcoms[VERIFY_TASK, "return_value"] = batch
    name = batch["files"]["ledgers"]["uri"].removeprefix(f"gs://{emulators.BUCKET}/")
    file = warehouse_server[1] / emulators.BUCKET / name  # path that the warehouse reads
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(emulators.storage_client(bucket).bucket(emulators.BUCKET).blob(name).download_as_bytes())
    for build in (build_gcs_to_bq_task, build_check_task, build_apply_gcs_changes_to_bq_task):
        task, context = start(build(LEDGERS))
        task.deferrable = False
        task.execute(context)
    return read_record(record)


def test_the_requests_of_a_batch_are_in_googles_apis(recorded):
    assert methods_of(recorded).keys() >= METHODS
    assert_right(recorded)


def test_an_unknown_field_in_a_sent_load_job_is_found(recorded):
    sent = next(one for one in recorded if one.body and "load" in one.body.get("configuration", {}))
    planted = replace(sent, body=copy.deepcopy(sent.body))
    planted.body["configuration"]["load"]["ignoreUnknownValue"] = True
    with pytest.raises(AssertionError, match="unknown field 'configuration.load.ignoreUnknownValue'"):
        assert_right([planted])


@pytest.fixture
def reads(recorded, monkeypatch):
    """The keys of the Variables that are read after the batch, in order."""
    keys: list[str] = []
    read = EnvironmentVariablesBackend.get_variable

    def noted(self, key, *args, **kwargs):
        keys.append(key)
        return read(self, key, *args, **kwargs)

    monkeypatch.setattr(EnvironmentVariablesBackend, "get_variable", noted)
    return keys


def test_a_try_reads_each_variable_once(start, reads):
    for _ in range(2):
        task, context = start(build_apply_gcs_changes_to_bq_task(LEDGERS))
        reads.clear()
        task.pre_execute(context)
        task.deferrable = False
        task.execute(context)
        assert {"task_timeout", "environment", "bq_dataset"} <= set(reads)
        assert max(Counter(reads).values()) == 1, Counter(reads)


@pytest.mark.parametrize(
    ("build", "unused"),
    [
        (build_check_task, {"partition_fields", "cluster_fields", "history_days", "compatibility_dataset"}),
        (build_apply_gcs_changes_to_bq_task, {"partition_fields", "cluster_fields", "history_days", "checks"}),
    ],
)
def test_a_task_reads_only_the_variables_that_it_uses_and_pulls_each_result_once(
    start, reads, build, unused, monkeypatch
):
    pulled: list[tuple[str, str]] = []
    pull = TaskInstance.xcom_pull

    def noted(self, task_ids, key="return_value"):
        pulled.append((task_ids, key))
        return pull(self, task_ids, key)

    monkeypatch.setattr(TaskInstance, "xcom_pull", noted)
    task, context = start(build(LEDGERS))
    task.deferrable = False
    task.execute(context)
    assert "bq_dataset" in reads
    assert not unused & set(reads)
    assert (VERIFY_TASK, "return_value") in pulled
    assert max(Counter(pulled).values()) == 1, pulled
