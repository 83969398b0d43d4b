"""The export of a batch: the pods that write every table's rows, and the task that verifies their files."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from airflow.providers.cncf.kubernetes.utils.pod_manager import PodPhase
from airflow.providers.google.cloud.hooks.gcs import GCSHook
from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from kubernetes.client import models as k8s

from stellar_etl_airflow.export.contents import Contents, ContentsError, reading_order
from stellar_etl_airflow.export.exports import Export, Step, attempt_suffix, attempts_below, does, to_do
from stellar_etl_airflow.export.manifest import (
    ManifestError,
    RefusedExportError,
    StoredObject,
    combined_manifest,
    derived_manifest,
    read_manifest,
    verified_batch,
)
from stellar_etl_airflow.export.storage import Bucket, ExportStorage, Folder
from stellar_etl_airflow.model.batch import Batch, ExportAttempt, run_folder
from stellar_etl_airflow.model.lineage import Dataset, Lineage, SchemaFile, dataset_at
from stellar_etl_airflow.model.tables import EXPORT_POOL, LEDGERS, PUBLISHED, Table
from stellar_etl_airflow.operators.bigquery_jobs import warehouse_for
from stellar_etl_airflow.operators.budget import wait_for_budget
from stellar_etl_airflow.operators.pods import StellarPodOperator, export_volume, literal
from stellar_etl_airflow.operators.runtime import (
    ATTEMPT_KEY,
    EXPORT_TASK,
    GOOGLE_CONNECTION,
    TIME_TASK,
    TYPES_KEY,
    VERIFY_TASK,
    Run,
    SettingsAtRunTime,
    attempt_of,
    find_result,
    ledgers_of,
    pull_result,
    settings,
)
from stellar_etl_airflow.settings.export import ExportSettings
from stellar_etl_airflow.settings.warehouse import SchemaSettings

ATTEMPT_ANNOTATION = "stellar-etl/attempt"
"""The pod annotation with its attempt. A try that finds the pod again expects the files of this attempt."""

STEP_ANNOTATION = "stellar-etl/step"
"""The pod annotation with the name of its step."""

STEP_KEY = "step"
"""The XCom key with the step whose pod the export task waits for."""

MOVED_SECONDS = 300
"""Seconds that the verifying task waits for `poststart.sh` to move the last file."""

POLL_SECONDS = 1.0


def exported_types(context: Context, data_types: Sequence[str]) -> list[str]:
    """Return the types that the run exports: those that the task that chose the ledgers names, or else all."""
    chosen = find_result(context, TIME_TASK) or {}
    return [data_type for data_type in data_types if data_type in chosen.get(TYPES_KEY, data_types)]


def export_of(
    context: Context, kind: type[Export], data_types: Sequence[str], attempt: ExportAttempt | None = None
) -> Export:
    """Return the run's export according to the current Variables, with the range of an attempt if given."""
    run = Run.of(context)
    return kind(
        settings(ExportSettings),
        tuple(exported_types(context, data_types)),
        attempt.ledgers if attempt else ledgers_of(context),
        {"batch_id": run.run_id, "batch_run_date": run.batch_run_date},
    )


def bucket_of(export: Export) -> Bucket:
    """Return the bucket that exports are loaded from."""
    return Bucket(GCSHook(gcp_conn_id=GOOGLE_CONNECTION).get_conn(), export.settings.gcs_exported_data_bucket_name)


def datasets_of(export: Export, attempt: ExportAttempt, root: str) -> list[Dataset]:
    """Return an attempt's data files, below a bucket or a folder, as lineage datasets."""
    folder = settings(SchemaSettings).schema_filepath
    return [
        dataset_at(f"{root}/{attempt.object_name(name)}", SchemaFile(folder, PUBLISHED[data_type].table_id))
        for data_type, name in export.file_names.items()
    ]


def bucket_root(export: Export) -> str:
    """Return the prefix of the addresses of the bucket's objects."""
    return f"gs://{export.settings.gcs_exported_data_bucket_name}"


class ExportOperator(StellarPodOperator):
    """Exports the run's ledgers: in one pod that reads each ledger once, or in one pod per table, one after the other.

    The only output of the pods is their files. The task passes the attempt on to the verifying task.

    If Variables and image are unchanged, a retry continues the last attempt: with its running pod, or, with one pod per
    table, with the first table whose files are missing. Otherwise it begins a new attempt below a new prefix, so that
    attempts never mix. It also does so while a terminating pod may still write. A pod that succeeded between two tries
    is accepted; the provider's operator would run it again.
    """

    builder = "build_export_task"

    def __init__(self, *, tables: Sequence[Table], kind: type[Export], **kwargs: Any) -> None:
        super().__init__(do_xcom_push=False, **kwargs)
        self.data_types = [table.data_type for table in tables]
        self.kind = kind

    def apply_settings(self, context: Context) -> None:
        """Set the pod's fields from the Variables, for the first pod of a new attempt."""
        super().apply_settings(context)
        export = self.export.settings
        if export.volume_config:
            path = export.image_output_path.rstrip("/")
            self.volumes.append(export_volume(export))
            self.volume_mounts.append(k8s.V1VolumeMount(name=export.volume_name, mount_path=path))
        self.take(self.export.steps(self.attempt)[0])

    def pod_arguments(self, context: Context) -> Sequence[str]:
        """Return the command of the first pod of a new attempt."""
        self.export = export_of(context, self.kind, self.data_types)
        self.work = self.export.fingerprint(self.pod_settings.image_name)
        self.attempt = ExportAttempt.begin(
            self.export.ledgers,
            object_prefix=self.export.settings.gcs_exported_object_prefix,
            run_id=Run.of(context).run_id,
            started_at=datetime.now(UTC),
            suffix=attempt_suffix(self.work, secrets.token_hex(4)),
        )
        return self.export.steps(self.attempt)[0].arguments

    def take(self, step: Step) -> None:
        """Make a step's pod the current one."""
        self.step = step
        self.arguments = list(map(literal, step.arguments))
        self.annotations = {
            ATTEMPT_ANNOTATION: json.dumps(self.attempt.to_json()),
            STEP_ANNOTATION: step.name,
        }
        self.pod = self.pod_request_obj = self.remote_pod = None

    def begin(self, context: Context) -> list[Step]:
        """Choose the attempt, pass it on to the verifying task, and return the remaining steps."""
        pod = self.find_pod(self.pod_settings.pods_namespace, context)
        attempt, name = _served(pod) if pod else (None, None)
        steps: list[Step] = []
        if attempt is not None and does(attempt, self.work):
            steps = self.export.steps(attempt)
            names = [step.name for step in steps]
            steps = steps[names.index(name) :] if name in names else []
        elif self.export.settings.export_mode == "per_type" and not self.is_a_pod_ending(context):
            attempt, steps = self._unfinished(Run.of(context).run_id)
        if attempt is not None and steps:
            self.attempt = attempt
        else:
            steps = self.export.steps(self.attempt)
        context["ti"].xcom_push(key=ATTEMPT_KEY, value=self.attempt.to_json())
        self.log.info("exporting to %s: %s", self.attempt.prefix, ", ".join(step.name for step in steps))
        return steps

    def _unfinished(self, run_id: str) -> tuple[ExportAttempt | None, list[Step]]:
        """Return the latest attempt at the same work and its remaining steps; none if a try completed it.

        If a user clears a completed task, the range is exported again.
        """
        export = self.export.settings
        folder = run_folder(export.gcs_exported_object_prefix, run_id)
        if export.volume_config:
            # Read in this order, so that a file that is moved in the meantime is seen twice and never missed.
            names = Folder(export.local_output_path).names(folder) | Folder(export.output_path).names(folder)
        else:
            names = bucket_of(self.export).names(folder)
        for attempt in attempts_below(folder, names, self.export.ledgers):
            if does(attempt, self.work):
                return attempt, to_do(self.export.steps(attempt), names)
        return None, []

    def execute(self, context: Context) -> None:
        """Run the pods, after waiting for the day's budget."""
        wait_for_budget(context, self.export.ledgers, warehouse_for)
        self._run(context, self.begin(context))

    def _run(self, context: Context, steps: Iterable[Step]) -> None:
        root = self.export.settings.output_path or bucket_root(self.export)
        sources = [dataset_at(self.export.source)] if self.export.source else []
        self.lineage = Lineage(sources, datasets_of(self.export, self.attempt, root))
        for step in steps:
            if self._killed:
                raise AirflowException("the task was killed before its work was done")
            self.take(step)
            context["ti"].xcom_push(key=STEP_KEY, value=step.name)
            if self.deferrable:
                self.execute_async(context)  # defers; the task resumes in `trigger_reentry`
                return
            self.execute_sync(context)

    def trigger_reentry(self, context: Context, event: dict[str, Any]) -> None:
        """Resume after the triggerer's event, and continue with the next step."""
        super().trigger_reentry(context, event)
        own = context["ti"].task_id
        self.attempt = ExportAttempt.from_json(pull_result(context, own, ATTEMPT_KEY))
        if not does(self.attempt, self.work):
            raise AirflowException(
                "the Variables of the export changed while its pod ran: the next try exports the range again"
            )
        steps = self.export.steps(self.attempt)
        ended = [step.name for step in steps].index(context["ti"].xcom_pull(task_ids=own, key=STEP_KEY))
        self._run(context, steps[ended + 1 :])

    def get_or_create_pod(self, pod_request_obj: k8s.V1Pod, context: Context) -> k8s.V1Pod:
        """Find this step's pod or create one. A pod of another step or attempt is deleted."""
        pod = self.find_pod(pod_request_obj.metadata.namespace, context)
        if pod is not None and _served(pod) != (self.attempt, self.step.name):
            self.log.warning("pod %s belongs to other work of this task: deleting it", pod.metadata.name)
            self.pod_manager.delete_pod(pod)
            pod = None
        if pod is None or pod.status.phase != PodPhase.SUCCEEDED:
            pod = super().get_or_create_pod(pod_request_obj, context)
        self.log.info("pod %s writes %s to %s", pod.metadata.name, self.step.name, self.attempt.prefix)
        return pod


def _served(pod: k8s.V1Pod) -> tuple[ExportAttempt | None, str | None]:
    """Return the attempt and the step in a pod's annotations."""
    annotations = pod.metadata.annotations or {}
    try:
        attempt = ExportAttempt.from_json(json.loads(annotations[ATTEMPT_ANNOTATION]))
    except (KeyError, TypeError, ValueError):
        return None, None
    return attempt, annotations.get(STEP_ANNOTATION)


class VerifyExportOperator(SettingsAtRunTime, BaseOperator):
    """Compares the manifest with the files before anything is loaded.

    Files on a volume are compared with the manifest and then uploaded below the attempt's prefix. Result: the batch,
    for all later tasks.
    """

    builder = "build_verify_task"

    def __init__(self, *, tables: Sequence[Table], kind: type[Export], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_types = [table.data_type for table in tables]
        self.kind = kind

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the batch as JSON.

        Raises:
            AirflowFailException: the export must not be published. A retry would find the same.
        """
        try:
            return self._verify(context)
        except (ContentsError, RefusedExportError) as error:
            raise AirflowFailException(str(error)) from error

    def _verify(self, context: Context) -> dict[str, Any]:
        attempt = attempt_of(context)
        export = export_of(context, self.kind, self.data_types, attempt)
        bucket = bucket_of(export)
        names, stored = export.leaves(attempt), bucket.stored(attempt.prefix)
        if export.settings.volume_config and not stored.keys() >= set(names):
            batch = self._bring(export, attempt, bucket)
        else:
            batch = _verified(export, attempt, stored, _manifest(export, attempt, bucket, stored), bucket.name)
        objects = datasets_of(export, attempt, bucket_root(export))
        if root := export.settings.output_path:
            self.lineage = Lineage(datasets_of(export, attempt, root), objects)
        else:
            self.lineage = Lineage(objects)
        for data_type in export.file_names.keys() - set(export.data_types):
            del batch.files[data_type]  # exported beside the tables' types
        for data_type, file in sorted(batch.files.items()):
            self.log.info("%s: %d rows, %d bytes, %s", data_type, file.rows, file.bytes, file.uri)
        return batch.to_json()

    def _bring(self, export: Export, attempt: ExportAttempt, bucket: Bucket) -> Batch:
        """Upload an attempt's files from the volume to the bucket, the manifests last."""
        folder, names = Folder(export.settings.output_path), export.leaves(attempt)
        deadline = time.monotonic() + MOVED_SECONDS
        while missing := folder.missing(names):
            if time.monotonic() > deadline:
                raise ManifestError(
                    f"{', '.join(missing)} did not arrive in {folder.root} within {MOVED_SECONDS} s: check that "
                    f"poststart.sh runs beside this worker, and that it moves files from "
                    f"{export.settings.local_output_path}, where the pods' volume must be mounted"
                )
            time.sleep(POLL_SECONDS)
        local = folder.stored(attempt.prefix)
        manifest = _manifest(export, attempt, folder, local)
        _verified(export, attempt, local, manifest, bucket.name)
        for name in names:
            bucket.upload(name, folder.path(name))
        self.log.info("uploaded %d files from %s to gs://%s/%s", len(names), folder.root, bucket.name, attempt.prefix)
        return _verified(export, attempt, bucket.stored(attempt.prefix), manifest, bucket.name)


def _manifest(
    export: Export, attempt: ExportAttempt, files: ExportStorage, stored: dict[str, StoredObject]
) -> dict[str, Any]:
    """Return the manifest of an attempt: read, combined from several, or derived from the files.

    Raises:
        ManifestError: the manifest, or a file that it is derived from, is missing.
    """
    missing = sorted(set(export.manifests(attempt) or export.leaves(attempt)) - stored.keys())
    if missing:
        raise ManifestError(
            f"export {attempt.prefix} lacks {', '.join(missing)}: the export pod ended too early, or wrote to another "
            f"place. Clear the task {EXPORT_TASK!r} with its downstream tasks"
        )
    if manifests := export.manifests(attempt):
        return combined_manifest({name: read_manifest(files.text(name), name) for name in manifests})
    names = {data_type: attempt.object_name(name) for data_type, name in export.file_names.items()}
    headers = files.text(names.pop(LEDGERS.data_type))
    contents = Contents()
    for data_type in reading_order(names):
        files.read(names[data_type], contents.counter(data_type))
    return derived_manifest(attempt, export.settings.passphrase, headers, contents, export.file_names, stored)


def _verified(
    export: Export,
    attempt: ExportAttempt,
    stored: dict[str, StoredObject],
    manifest: dict[str, Any],
    bucket: str,
) -> Batch:
    return verified_batch(
        manifest,
        attempt,
        bucket,
        export.file_names,
        stored,
        max_failed_transforms=export.settings.max_failed_transforms,
        passphrase=export.settings.network_passphrase,
    )


def build_export_task(tables: Sequence[Table], kind: type[Export] = Export) -> ExportOperator:
    """Return a task that exports the tables' rows for the run's ledgers."""
    return ExportOperator(task_id=EXPORT_TASK, tables=tables, kind=kind, pool=EXPORT_POOL)


def build_verify_task(tables: Sequence[Table], kind: type[Export] = Export) -> VerifyExportOperator:
    """Return a task that compares the exported files with their manifest. `kind` is that of the export."""
    return VerifyExportOperator(task_id=VERIFY_TASK, tables=tables, kind=kind)
