"""A load job names an object: the loaded object must be the verified one."""

from __future__ import annotations

import pytest
from airflow.sdk.exceptions import AirflowFailException

from stellar_etl_airflow.model.tables import LEDGERS
from stellar_etl_airflow.operators.runtime import VERIFY_TASK
from stellar_etl_airflow.tasks.build_export_task import build_export_task, build_verify_task
from stellar_etl_airflow.tasks.build_gcs_to_bq_task import build_gcs_to_bq_task
from tests.local import emulators


@pytest.fixture
def load(start, client, bucket, warehouse_environment, warehouse_server, make_context):
    """Export and verify, change the bucket, and load."""
    folder = warehouse_server[1]

    def load(change, there=True):
        task, context = start(build_export_task([LEDGERS]))
        task.execute(context)
        task, context = start(build_verify_task([LEDGERS]))
        batch = task.execute(context)
        make_context.xcoms[VERIFY_TASK, "return_value"] = batch
        name = batch["files"]["ledgers"]["uri"].removeprefix(f"gs://{emulators.BUCKET}/")
        blob = emulators.storage_client(bucket).bucket(emulators.BUCKET).blob(name)
        change(blob)
        file = folder / emulators.BUCKET / name  # path that the warehouse reads
        file.parent.mkdir(parents=True, exist_ok=True)
        if there:
            file.write_bytes(blob.download_as_bytes())
        load.task, load.context = start(build_gcs_to_bq_task(LEDGERS))
        load.task.deferrable = False
        return load.task.execute(load.context)

    return load


def test_the_verified_object_is_loaded(load):
    assert len(load(lambda blob: None)["jobs"]) == 1


def test_an_object_that_was_replaced_meanwhile_is_not_published(load):
    def change(blob):
        blob.upload_from_string(blob.download_as_bytes().replace(b'"base_fee":100', b'"base_fee":101'))

    with pytest.raises(AirflowFailException, match=r"ledgers\.txt was replaced .* Clear the task 'export'"):
        load(change)


def test_a_load_of_rows_that_do_not_fit_is_not_retried(load, make_context):
    def change(blob):
        blob.upload_from_string(blob.download_as_bytes().replace(b'"base_fee":100', b'"base_fee":"many"'))

    refused = pytest.raises(
        AirflowFailException, match=r"ledgers\.txt can't be loaded into history_ledgers: .*clear the t"
    )
    with refused:
        load(change)
    with refused:  # as a deferred task resumes from the triggerer
        load.task.execute_complete(load.context, {"status": "error", "message": "400"}, load.task.job_id)


def test_a_missing_object_is_named(load):
    with pytest.raises(AirflowFailException, match=r"ledgers\.txt can't be loaded .*: .*Not found: URI.*clear the t"):
        load(lambda blob: None, there=False)
