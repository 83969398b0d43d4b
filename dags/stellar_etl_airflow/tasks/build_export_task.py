"""The export of a batch: the pods that write every table's rows, and the task that verifies what they wrote."""

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
"""The pod's annotation that holds its attempt: a try that finds its pod again goes by what that pod writes."""

STEP_ANNOTATION = "stellar-etl/step"
"""The pod's annotation that holds the name of its step."""

STEP_KEY = "step"
"""The XCom key under which the export task notes which step's pod it waits for."""

MOVED_SECONDS = 300
"""How long the verifying task waits for `poststart.sh` to bring the last file."""

POLL_SECONDS = 1.0


def exported_types(context: Context, data_types: Sequence[str]) -> list[str]:
    """The types that the run exports: all of a task's, or those that the task that chose the ledgers names."""
    chosen = find_result(context, TIME_TASK) or {}
    return [data_type for data_type in data_types if data_type in chosen.get(TYPES_KEY, data_types)]


def export_of(
    context: Context, kind: type[Export], data_types: Sequence[str], attempt: ExportAttempt | None = None
) -> Export:
    """What the run exports, by the Variables of now; its range is an attempt's if one is given."""
    run = Run.of(context)
    return kind(
        settings(ExportSettings),
        tuple(exported_types(context, data_types)),
        attempt.ledgers if attempt else ledgers_of(context),
        {"batch_id": run.run_id, "batch_run_date": run.batch_run_date},
    )


def bucket_of(export: Export) -> Bucket:
    """The bucket that exports are loaded from."""
    return Bucket(GCSHook(gcp_conn_id=GOOGLE_CONNECTION).get_conn(), export.settings.gcs_exported_data_bucket_name)


def datasets_of(export: Export, attempt: ExportAttempt, root: str) -> list[Dataset]:
    """An attempt's files of rows as lineage names them, below a bucket or a folder."""
    folder = settings(SchemaSettings).schema_filepath
    return [
        dataset_at(f"{root}/{attempt.object_name(name)}", SchemaFile(folder, PUBLISHED[data_type].table_id))
        for data_type, name in export.file_names.items()
    ]


def bucket_root(export: Export) -> str:
    """What stands before the names of the bucket's objects."""
    return f"gs://{export.settings.gcs_exported_data_bucket_name}"


class ExportOperator(StellarPodOperator):
    """Exports the run's ledgers: in one pod that reads each ledger once, or in a pod for each table, in turn.

    Nothing comes out of the pods but their files. The attempt that they serve is left for the verifying task.

    A try goes on where the one before it ended, if the Variables and the image are the same: with its pod, if that is
    there; of a pod for each table, with the first whose files are missing. Otherwise it begins an attempt of its own,
    below a prefix of its own, so that two attempts never mix; so it does while a pod is ending that may still write. A
    pod that ended well while no try was watching has done its work; the provider's operator would run it again.
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
        """The command of the first pod of a new attempt."""
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
        """Make a step's pod the one that is worked on."""
        self.step = step
        self.arguments = list(map(literal, step.arguments))
        self.annotations = {
            ATTEMPT_ANNOTATION: json.dumps(self.attempt.to_json()),
            STEP_ANNOTATION: step.name,
        }
        self.pod = self.pod_request_obj = self.remote_pod = None

    def begin(self, context: Context) -> list[Step]:
        """Chooses the attempt, leaves it for the verifying task, and gives the steps that are to be done."""
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
        """The newest attempt at the same work, and its steps that are to be done: none if a try finished it.

        A person who clears a task that has finished wants the range exported again.
        """
        export = self.export.settings
        folder = run_folder(export.gcs_exported_object_prefix, run_id)
        if export.volume_config:
            # In this order: a file that is moved in the meantime is seen twice, and never missed.
            names = Folder(export.local_output_path).names(folder) | Folder(export.output_path).names(folder)
        else:
            names = bucket_of(self.export).names(folder)
        for attempt in attempts_below(folder, names, self.export.ledgers):
            if does(attempt, self.work):
                return attempt, to_do(self.export.steps(attempt), names)
        return None, []

    def execute(self, context: Context) -> None:
        """Run the pods, once the day's budget allows."""
        wait_for_budget(context, self.export.ledgers, warehouse_for)
        self._run(context, self.begin(context))

    def _run(self, context: Context, steps: Iterable[Step]) -> None:
        root = self.export.settings.output_path or bucket_root(self.export)
        sources = [dataset_at(self.export.source)] if self.export.source else []
        self.lineage = Lineage(sources, datasets_of(self.export, self.attempt, root))
        for step in steps:
            if self._killed:
                raise AirflowException("the task was killed: its work is not done")
            self.take(step)
            context["ti"].xcom_push(key=STEP_KEY, value=step.name)
            if self.deferrable:
                self.execute_async(context)  # leaves the task, which comes back by `trigger_reentry`
                return
            self.execute_sync(context)

    def trigger_reentry(self, context: Context, event: dict[str, Any]) -> None:
        """Comes back from the triggerer, and goes on with the steps behind the one that has ended."""
        super().trigger_reentry(context, event)
        own = context["ti"].task_id
        self.attempt = ExportAttempt.from_json(pull_result(context, own, ATTEMPT_KEY))
        if not does(self.attempt, self.work):
            raise AirflowException(
                "the Variables of the export have changed while its pod ran: the next try exports the range again"
            )
        steps = self.export.steps(self.attempt)
        ended = [step.name for step in steps].index(context["ti"].xcom_pull(task_ids=own, key=STEP_KEY))
        self._run(context, steps[ended + 1 :])

    def get_or_create_pod(self, pod_request_obj: k8s.V1Pod, context: Context) -> k8s.V1Pod:
        """Find this step's pod or make one; another step's or another attempt's is deleted."""
        pod = self.find_pod(pod_request_obj.metadata.namespace, context)
        if pod is not None and _served(pod) != (self.attempt, self.step.name):
            self.log.warning("pod %s does other work of this task: deleting it", pod.metadata.name)
            self.pod_manager.delete_pod(pod)
            pod = None
        if pod is None or pod.status.phase != PodPhase.SUCCEEDED:
            pod = super().get_or_create_pod(pod_request_obj, context)
        self.log.info("pod %s writes %s to %s", pod.metadata.name, self.step.name, self.attempt.prefix)
        return pod


def _served(pod: k8s.V1Pod) -> tuple[ExportAttempt | None, str | None]:
    """The attempt and the step that a pod says it serves."""
    annotations = pod.metadata.annotations or {}
    try:
        attempt = ExportAttempt.from_json(json.loads(annotations[ATTEMPT_ANNOTATION]))
    except (KeyError, TypeError, ValueError):
        return None, None
    return attempt, annotations.get(STEP_ANNOTATION)


class VerifyExportOperator(SettingsAtRunTime, BaseOperator):
    """Compares the manifest with the files before anything is loaded.

    Files on a volume are compared with the manifest, and then uploaded below the attempt's prefix.
    Result: the batch, for every task after it.
    """

    builder = "build_verify_task"

    def __init__(self, *, tables: Sequence[Table], kind: type[Export], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_types = [table.data_type for table in tables]
        self.kind = kind

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the batch as JSON.

        Raises:
            AirflowFailException: what the export holds is not to be published; trying again would find the same.
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
        for data_type in export.file_names.keys() - set(self.data_types):
            del batch.files[data_type]  # it was exported to be counted
        for data_type, file in sorted(batch.files.items()):
            self.log.info("%s: %d rows, %d bytes, %s", data_type, file.rows, file.bytes, file.uri)
        return batch.to_json()

    def _bring(self, export: Export, attempt: ExportAttempt, bucket: Bucket) -> Batch:
        """Bring an attempt's files from the volume into the bucket, the manifests last."""
        folder, names = Folder(export.settings.output_path), export.leaves(attempt)
        deadline = time.monotonic() + MOVED_SECONDS
        while missing := folder.missing(names):
            if time.monotonic() > deadline:
                raise ManifestError(
                    f"{', '.join(missing)} did not come to {folder.root} within {MOVED_SECONDS} s: see that "
                    f"poststart.sh runs beside this worker, and that it moves files from "
                    f"{export.settings.local_output_path}, where the pods' volume has to be mounted"
                )
            time.sleep(POLL_SECONDS)
        local = folder.stored(attempt.prefix)
        manifest = _manifest(export, attempt, folder, local)
        _verified(export, attempt, local, manifest, bucket.name)
        for name in names:
            bucket.upload(name, folder.path(name))
        self.log.info("brought %d files from %s to gs://%s/%s", len(names), folder.root, bucket.name, attempt.prefix)
        return _verified(export, attempt, bucket.stored(attempt.prefix), manifest, bucket.name)


def _manifest(
    export: Export, attempt: ExportAttempt, files: ExportStorage, stored: dict[str, StoredObject]
) -> dict[str, Any]:
    """The manifest of an attempt: read, put together, or derived.

    Raises:
        ManifestError: it is missing, or what it is derived from.
    """
    missing = sorted(set(export.manifests(attempt) or export.leaves(attempt)) - stored.keys())
    if missing:
        raise ManifestError(
            f"of the export {attempt.prefix}, {', '.join(missing)} is missing: the export pod ended before its work "
            f"was done, or wrote elsewhere. Clear the task {EXPORT_TASK!r} and what follows it"
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
    """A task that exports the tables' rows for the run's ledgers, in the kind of pods that it takes."""
    return ExportOperator(task_id=EXPORT_TASK, tables=tables, kind=kind, pool=EXPORT_POOL)


def build_verify_task(tables: Sequence[Table], kind: type[Export] = Export) -> VerifyExportOperator:
    """A task that holds the exported files against their manifest; of the same kind as the export."""
    return VerifyExportOperator(task_id=VERIFY_TASK, tables=tables, kind=kind)
