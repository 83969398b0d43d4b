"""The export of a batch: one pod that writes every table's rows, and the task that verifies what it wrote."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from airflow.providers.cncf.kubernetes.utils.pod_manager import PodPhase
from airflow.providers.google.cloud.hooks.gcs import GCSHook
from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowException
from kubernetes.client import models as k8s

from stellar_etl_airflow.batch import ExportAttempt, extra_fields
from stellar_etl_airflow.manifest import ManifestError, StoredObject, verified_batch
from stellar_etl_airflow.pods import StellarPodOperator, network_arguments
from stellar_etl_airflow.runtime import (
    ATTEMPT_KEY,
    EXPORT_TASK,
    GOOGLE_CONNECTION,
    VERIFY_TASK,
    Run,
    SettingsAtRunTime,
    attempt_of,
    ledgers_of,
    settings,
)
from stellar_etl_airflow.settings import ExportSettings
from stellar_etl_airflow.tables import Table

ATTEMPT_ANNOTATION = "stellar-etl/attempt"
"""The pod's annotation that holds its attempt: a try that finds its pod again goes by what that pod writes."""


class ExportOperator(StellarPodOperator):
    """Exports the run's ledgers in one pod, each ledger read once.

    Nothing comes out of the pod but its files and its manifest. The attempt that the pod serves is left for the
    verifying task, read from the pod that does the work: a new one, or the one that an earlier try started.
    """

    builder = "build_export_task"

    def __init__(self, *, tables: Sequence[Table], **kwargs: Any) -> None:
        super().__init__(do_xcom_push=False, **kwargs)
        self.data_types = [table.data_type for table in tables]

    def pod_arguments(self, context: Context) -> list[str]:
        """`export_all_history` for the run's ledgers, below the prefix of a new attempt."""
        run, ledgers, export = Run.of(context), ledgers_of(context), settings(ExportSettings)
        attempt = ExportAttempt.begin(
            ledgers,
            object_prefix=export.gcs_exported_object_prefix,
            run_id=run.run_id,
            started_at=datetime.now(UTC),
            suffix=secrets.token_hex(4),
        )
        self.annotations = {ATTEMPT_ANNOTATION: json.dumps(attempt.to_json())}
        fields = {
            "batch_id": run.run_id,
            "batch_run_date": run.batch_run_date,
            "batch_insert_ts": attempt.started_at,
        }
        return [
            "export_all_history",
            "--start-ledger", str(ledgers.start),
            "--end-ledger", str(ledgers.end),
            "--output", attempt.prefix,
            "--types", ",".join(self.data_types),
            "--file-names", extra_fields({name: export.file_name(name) for name in self.data_types}),
            "--extra-fields", extra_fields(fields),
            "--cloud-provider", "gcp",
            "--cloud-storage-bucket", export.gcs_exported_data_bucket_name,
            *network_arguments(export),
        ]  # fmt: skip

    def get_or_create_pod(self, pod_request_obj: k8s.V1Pod, context: Context) -> k8s.V1Pod:
        """Finds this task's pod or makes one, and leaves the attempt that it serves.

        A pod that ended well while no try was watching has done the work; the provider's operator would run it again.
        """
        pod = self.find_pod(pod_request_obj.metadata.namespace, context)
        if pod is None or pod.status.phase != PodPhase.SUCCEEDED:
            pod = super().get_or_create_pod(pod_request_obj, context)
        try:
            attempt = ExportAttempt.from_json(json.loads(pod.metadata.annotations[ATTEMPT_ANNOTATION]))
        except (KeyError, TypeError, ValueError) as error:
            raise AirflowException(
                f"pod {pod.metadata.name} does not say which export attempt it serves: delete it and clear this task"
            ) from error
        self.log.info("pod %s writes to %s", pod.metadata.name, attempt.prefix)
        context["ti"].xcom_push(key=ATTEMPT_KEY, value=attempt.to_json())
        return pod


class VerifyExportOperator(SettingsAtRunTime, BaseOperator):
    """Compares the manifest with the bucket before anything is loaded.

    Result: the batch, for every task after it.
    """

    builder = "build_verify_task"

    def __init__(self, *, tables: Sequence[Table], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_types = [table.data_type for table in tables]

    def execute(self, context: Context) -> dict[str, Any]:
        """Gives the batch as JSON."""
        attempt, export = attempt_of(context), settings(ExportSettings)
        bucket = export.gcs_exported_data_bucket_name
        storage = GCSHook(gcp_conn_id=GOOGLE_CONNECTION).get_conn()
        objects = {
            blob.name: (blob, StoredObject(blob.size, blob.crc32c))
            for blob in storage.list_blobs(bucket, prefix=f"{attempt.prefix}/")
        }
        if attempt.manifest_object not in objects:
            raise ManifestError(
                f"gs://{bucket}/{attempt.manifest_object} is missing: the export pod ended before its work was done, "
                f"or wrote elsewhere. Clear the task {EXPORT_TASK!r} and what follows it"
            )
        batch = verified_batch(
            objects[attempt.manifest_object][0].download_as_text(),
            attempt,
            bucket,
            {name: export.file_name(name) for name in self.data_types},
            {name: stored for name, (_, stored) in objects.items()},
            export.max_failed_transforms,
        )
        for data_type, file in sorted(batch.files.items()):
            self.log.info("%s: %d rows, %d bytes, %s", data_type, file.rows, file.bytes, file.uri)
        return batch.to_json()


def build_export_task(tables: Sequence[Table]) -> ExportOperator:
    """A task that exports the tables' rows for the run's ledgers, in one pod."""
    return ExportOperator(task_id=EXPORT_TASK, tables=tables)


def build_verify_task(tables: Sequence[Table]) -> VerifyExportOperator:
    """A task that holds the exported files against their manifest."""
    return VerifyExportOperator(task_id=VERIFY_TASK, tables=tables)
