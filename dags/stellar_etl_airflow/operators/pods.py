"""The one wrapper around the pod operator; each deviation carries its reason."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

from airflow.providers.cncf.kubernetes.backcompat.backwards_compat_converters import convert_affinity
from airflow.providers.cncf.kubernetes.operators.pod import FoundMoreThanOnePodFailure, KubernetesPodOperator
from airflow.providers.cncf.kubernetes.pod_generator import PodGenerator
from airflow.providers.cncf.kubernetes.utils.pod_manager import PodPhase
from airflow.providers.cncf.kubernetes.utils.xcom_sidecar import PodDefaults
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowRescheduleException
from kubernetes.client import ApiClient
from kubernetes.client import models as k8s

from stellar_etl_airflow.model.costs import Usage
from stellar_etl_airflow.operators.runtime import USAGE_KEY, SettingsAtRunTime, settings, task_labels, usage_of
from stellar_etl_airflow.settings.base import SettingsError
from stellar_etl_airflow.settings.export import ExportSettings
from stellar_etl_airflow.settings.pods import PodSettings
from stellar_etl_airflow.settings.runs import WaitSettings

XCOM_FILE = "/airflow/xcom/return.json"
"""Where a pod writes its result."""

LAKE_VARIABLE = "STELLAR_ETL_DATASTORE_PATH"
"""Where our exporter finds the lake; the Go program's command has no option for it, and asks the network itself."""


PROGRAM = "stellar-etl"
NOT_REACHED = 75
"""The program's exit status where the network has not come to the end of the range (EX_TEMPFAIL of sysexits.h)."""

GRACE_SECONDS = 30

KEY_SECRET = "stellar-etl-api-key"  # noqa: S105  the secret's name
"""The Kubernetes secret, in the pods' namespace, that holds the Google key file if `api_key_path` is set."""

KEY_ITEM = "key.json"
"""The key file's name in the secret and in the pods."""

KEY_FOLDER = "/var/run/secrets/stellar-etl"
"""Where pods find it, read-only."""


class StellarPodOperator(SettingsAtRunTime, KubernetesPodOperator):
    """Runs `stellar-etl` in a pod, with the image, place and limits that the Variables say.

    - The arguments are argv elements, made by `pod_arguments` when the task runs; no shell reads them.
    - Pods have no fixed name, a deadline and a grace period, and are deleted when they finish.
    - A task that was killed fails: the provider's operator deletes the pod and then reports success
      (https://github.com/apache/airflow/issues/73006).
    - A pod that is being deleted is ignored: the provider's operator counts it, finds two pods if a try created a new
      one, and fails that try and each further one (https://github.com/apache/airflow/issues/10544).
    - If the network has not reached the range, the task is rescheduled, without a try and without a slot in the
      meantime, until the Variable's limit.
    - A result that was lost fails the task: the provider's deferrable operator drops it when the pod had
      ended before the task came back to it.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            cmds=[PROGRAM],
            name="stellar-etl",
            on_finish_action="delete_pod",
            termination_grace_period=GRACE_SECONDS,
            # The pod's last words become the task's error, in place of a dump of the whole pod.
            termination_message_policy="FallbackToLogsOnError",
            log_pod_spec_on_failure=False,
            log_events_on_failure=True,
            # A node pool that scales from zero needs minutes until a pod can start.
            startup_timeout_seconds=900,
            startup_check_interval_seconds=2,
            **kwargs,
        )
        self._result: Any = None

    def pod_arguments(self, context: Context) -> Sequence[str]:
        """What stands behind `stellar-etl` on the command line."""
        raise NotImplementedError

    def pod_environment(self, context: Context) -> dict[str, str]:
        """The pod's environment variables; none by default."""
        return {}

    def apply_settings(self, context: Context) -> None:
        """Set the pod's fields from the Variables."""
        self.pod_settings = pod = settings(PodSettings)
        self.image = pod.image_name
        self.image_pull_policy = pod.image_pull_policy
        self.namespace = pod.pods_namespace
        self.service_account_name = pod.k8s_service_account or None
        self.affinity = affinity_of(pod)
        self.tolerations = [k8s.V1Toleration(**toleration.model_dump()) for toleration in pod.tolerations]
        self.config_file = kubeconfig_of(pod)
        resources = pod.resources.get(self.builder) or pod.resources.get("default")
        self.container_resources = k8s.V1ResourceRequirements(**resources) if resources else None
        if self.execution_timeout is not None:
            self.active_deadline_seconds = int(self.execution_timeout.total_seconds())
        self.labels = {"app": PROGRAM, "builder": re.sub(r"[^A-Za-z0-9.-]", "-", self.builder), **task_labels(context)}
        self.arguments = list(map(literal, self.pod_arguments(context)))
        environment = self.pod_environment(context)
        self.volumes, self.volume_mounts = [], []
        if pod.api_key_path:
            item = k8s.V1KeyToPath(key=KEY_ITEM, path=KEY_ITEM)
            secret = k8s.V1SecretVolumeSource(secret_name=KEY_SECRET, items=[item])
            self.volumes.append(k8s.V1Volume(name=KEY_SECRET, secret=secret))
            self.volume_mounts.append(k8s.V1VolumeMount(name=KEY_SECRET, mount_path=KEY_FOLDER, read_only=True))
            environment["GOOGLE_APPLICATION_CREDENTIALS"] = f"{KEY_FOLDER}/{KEY_ITEM}"
        self.env_vars = [k8s.V1EnvVar(name=name, value=literal(value)) for name, value in environment.items()]
        self.env_vars += secret_variables(pod, environment)

    def build_pod_request_obj(self, context: Context | None = None, **kwargs: Any) -> k8s.V1Pod:
        """The pod; its sidecar has the image that the Variable says, which the provider reads from the connection."""
        request = super().build_pod_request_obj(context, **kwargs)
        for container in request.spec.containers:
            if container.name == PodDefaults.SIDECAR_CONTAINER_NAME:
                container.image = self.pod_settings.kubernetes_sidecar_image or container.image
        return request

    def find_pod(self, namespace: str, context: Context, *, exclude_checked: bool = True) -> k8s.V1Pod | None:
        """The pod of this task: this try's own, or one of an earlier try that is there to stay.

        Several can be there if the reply to a create was lost: the newest does the work, the others are deleted.
        """
        try:
            found = super().find_pod(namespace, context, exclude_checked=exclude_checked)
            pods = [found] if found else []
        except FoundMoreThanOnePodFailure:
            selector = self._build_find_pod_label_selector(context, exclude_checked=exclude_checked)
            pods = self.client.list_namespaced_pod(namespace=namespace, label_selector=selector).items
        for pod in pods:
            if self.pod is not None and pod.metadata.name == self.pod.metadata.name:
                return pod
        staying = sorted(
            (pod for pod in pods if pod.metadata.deletion_timestamp is None),
            key=lambda pod: (pod.metadata.creation_timestamp, pod.metadata.name),
        )
        for pod in staying[:-1]:
            self.log.warning("pod %s is of this task too: deleting it", pod.metadata.name)
            self.pod_manager.delete_pod(pod)
        return staying[-1] if staying else None

    def is_a_pod_ending(self, context: Context) -> bool:
        """Whether a pod of this task is being deleted whose program may still run."""
        selector = self._build_find_pod_label_selector(context, exclude_checked=False)
        pods = self.client.list_namespaced_pod(
            namespace=self.pod_settings.pods_namespace, label_selector=selector
        ).items
        ended = (PodPhase.SUCCEEDED, PodPhase.FAILED)
        return any(pod.metadata.deletion_timestamp and pod.status.phase not in ended for pod in pods)

    def _get_pod_from_task_state_store(self, context: Context) -> k8s.V1Pod | None:
        """The pod that an earlier try noted, unless it is being deleted. Older providers note none, and never ask."""
        pod = super()._get_pod_from_task_state_store(context)
        return None if pod is None or pod.metadata.deletion_timestamp else pod

    def execute(self, context: Context) -> Any:
        """Run the pod and return what it left as its result."""
        result = super().execute(context)
        return self._checked(self._result if result is None else result)

    def trigger_reentry(self, context: Context, event: dict[str, Any]) -> Any:
        """Resume after the deferral; return the pod's result."""
        self._result = super().trigger_reentry(context, event)
        return self._checked(self._result)

    def _checked(self, result: Any) -> Any:
        if self.do_xcom_push and result is None:
            raise AirflowException("the pod ended, and its result is lost; the next try runs it again")
        return result

    def cleanup(
        self,
        pod: k8s.V1Pod,
        remote_pod: k8s.V1Pod,
        xcom_result: dict[str, Any] | None = None,
        context: Context | None = None,
    ) -> None:
        """Cleans up as the provider does; a killed task fails in the end.

        Raises:
            AirflowRescheduleException: the network has not reached the range.
        """
        if context is not None and remote_pod is not None:
            self._note_usage(context, remote_pod)
        try:
            super().cleanup(pod, remote_pod, xcom_result, context)
        except AirflowException as error:
            if context is not None and _exit_status(remote_pod, self.base_container_name) == NOT_REACHED:
                self._wait_for_network(context, str(error))
            raise
        if self._killed:
            # https://github.com/apache/airflow/issues/73006
            raise AirflowException("the task was killed and its pod deleted: its work is not done")

    def _note_usage(self, context: Context, pod: k8s.V1Pod) -> None:
        """Notes what a pod used, beside what the task's other pods of this try used."""
        ti = context["ti"]
        usage = usage_of(context, ti.task_id) + used_by(pod, datetime.now(UTC))
        ti.xcom_push(key=USAGE_KEY, value=usage.to_json())

    def _wait_for_network(self, context: Context, reason: str) -> NoReturn:
        """End this try of the task, to be run again when the network may have reached the range.

        Raises:
            AirflowRescheduleException: in the time that the Variable gives.
            AirflowFailException: after it.
        """
        limits, now = settings(WaitSettings), datetime.now(UTC)
        began = context["ti"].get_first_reschedule_date(context) or now
        waited = (now - began).total_seconds()
        if waited >= limits.ledger_wait_timeout:
            raise AirflowFailException(
                f"waited {waited:.0f} s for ledgers that have not closed, and Airflow Variable 'ledger_wait_timeout' "
                f"says no longer: {reason}"
            )
        self.log.info("%s\nwaiting %d s for the network", reason, limits.ledger_wait_interval)
        raise AirflowRescheduleException(  # type: ignore[no-untyped-call]
            now + timedelta(seconds=limits.ledger_wait_interval)
        )


def _exit_status(pod: k8s.V1Pod | None, container: str) -> int | None:
    """The exit status of a pod's container, None if it has not ended."""
    for status in (pod and pod.status and pod.status.container_statuses) or []:
        if status.name == container and status.state and status.state.terminated:
            return int(status.state.terminated.exit_code)
    return None


def used_by(pod: k8s.V1Pod, now: datetime) -> Usage:
    """Return what a pod has used: the requests of its containers, from its start to the end of its last container.

    Args:
        pod: the pod as the cluster has it.
        now: the end of a container that still runs.
    """
    status = pod.status
    started = status.start_time if status else None
    if started is None:
        return Usage()  # it found no node
    ended = [
        one.state.terminated.finished_at if one.state and one.state.terminated else None
        for one in status.container_statuses or []
    ]
    last = max((one or now for one in ended), default=now)
    requests = [container.resources.requests or {} for container in pod.spec.containers if container.resources]
    return Usage.of(requests, max(0.0, (last - started).total_seconds()))


def literal(text: str) -> str:
    """An argument or a variable's value as a pod's spec has to spell it, so that the program gets just that.

    Kubernetes takes `$(NAME)` for an environment variable of the container, and `$$` for a dollar.
    """
    return text.replace("$", "$$")


def affinity_of(pod: PodSettings) -> k8s.V1Affinity | dict[str, Any]:
    """Return the pods' affinity, empty if there is none.

    Raises:
        SettingsError: Kubernetes has no such part, or a part lacks something. The client leaves out what it does not
            know, and pods would run on any node.
    """
    if not pod.affinity:
        return {}
    wanted = "Airflow Variable 'affinity' must be an affinity as in a pod's spec"
    try:
        affinity = convert_affinity(pod.affinity)
    except (AttributeError, TypeError, ValueError) as error:
        raise SettingsError(f"{wanted}: {error}") from None
    understood = ApiClient().sanitize_for_serialization(affinity)
    if understood != pod.affinity:
        raise SettingsError(
            f"{wanted}. Of {pod.affinity!r} Kubernetes understands {understood!r}: correct the rest's names and types"
        )
    return affinity


def kubeconfig_of(pod: PodSettings) -> str | None:
    """The kubeconfig file that leads to the pods' cluster, None if the connection does.

    Raises:
        SettingsError: pods must run in the cluster of a file, and this worker lacks the file.
    """
    if pod.pod_place == "kubeconfig" and not Path(pod.kubeconfig).expanduser().is_file():
        raise SettingsError(f"Airflow Variable 'kube_config_location': this worker has no file {pod.kubeconfig!r}")
    return pod.kubeconfig or None


def secret_variables(pod: PodSettings, environment: Mapping[str, str]) -> list[k8s.V1EnvVar]:
    """The environment variables that the cluster fills out of its secrets: no worker knows their values.

    Raises:
        SettingsError: one of them is a variable that the task sets itself.
    """
    for name in pod.pod_secrets:
        if name in environment:
            raise SettingsError(f"Airflow Variable 'pod_secrets'[{name!r}]: the task sets {name} itself; leave it out")
    return [
        k8s.V1EnvVar(
            name=name,
            value_from=k8s.V1EnvVarSource(
                secret_key_ref=k8s.V1SecretKeySelector(name=reference.secret, key=reference.key)
            ),
        )
        for name, reference in pod.pod_secrets.items()
    ]


def export_volume(export: ExportSettings) -> k8s.V1Volume:
    """The volume that pods write to.

    Raises:
        SettingsError: a part of `volume_config` is none that Kubernetes knows: it would be left out, and pods would
            write to a folder that is gone with them.
    """
    source = export.volume_config
    described = {"name": export.volume_name, **source}
    try:
        pod = PodGenerator.deserialize_model_dict({"spec": {"volumes": [described], "containers": []}})
        volume = pod.spec.volumes[0]
    except (AttributeError, TypeError, ValueError) as error:
        raise SettingsError(f"Airflow Variable 'volume_config' is no volume source of Kubernetes: {error}") from None
    understood = ApiClient().sanitize_for_serialization(volume)
    if len(source) != 1 or understood != described:
        raise SettingsError(
            f"Airflow Variable 'volume_config' must be one volume source of Kubernetes, such as "
            f'{{"persistentVolumeClaim": {{"claimName": "exports"}}}}, not {source!r}'
        )
    return volume
