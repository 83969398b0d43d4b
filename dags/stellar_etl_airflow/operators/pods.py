"""The only wrapper around the pod operator. Each deviation from the provider has its reason."""

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
"""The file to which a pod writes its result."""

LAKE_VARIABLE = "STELLAR_ETL_DATASTORE_PATH"
"""The environment variable with the lake for our exporter; the command line of the Go program has no option for it."""


PROGRAM = "stellar-etl"
NOT_REACHED = 75
"""The program's exit status if the network has not reached the end of the range (EX_TEMPFAIL of sysexits.h)."""

GRACE_SECONDS = 30

KEY_SECRET = "stellar-etl-api-key"  # noqa: S105  the secret's name
"""The Kubernetes secret in the pods' namespace with the Google key file, used if `api_key_path` is set."""

KEY_ITEM = "key.json"
"""The key file's name in the secret and in the pods."""

KEY_FOLDER = "/var/run/secrets/stellar-etl"
"""The read-only folder of the key file in pods."""


class StellarPodOperator(SettingsAtRunTime, KubernetesPodOperator):
    """Runs `stellar-etl` in a pod, with the image, cluster and limits of the Variables.

    - The arguments are argv elements, made by `pod_arguments` when the task runs. No shell reads them.
    - Pods have no fixed name, have a deadline and a grace period, and are deleted when they finish.
    - A killed task fails. The provider's operator deletes the pod and then reports success
      (https://github.com/apache/airflow/issues/73006).
    - Terminating pods are ignored. The provider's operator counts them: if a try created a new pod, the operator finds
      two and fails that try and each further one (https://github.com/apache/airflow/issues/10544).
    - If the network has not reached the range, the task is rescheduled until the Variable's limit, without using a try
      or a worker slot.
    - A lost result fails the task. The provider's deferrable operator drops the result if the pod ended before the task
      resumed.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            cmds=[PROGRAM],
            name="stellar-etl",
            on_finish_action="delete_pod",
            termination_grace_period=GRACE_SECONDS,
            # Use the end of the pod's log as the task's error, instead of a dump of the whole pod.
            termination_message_policy="FallbackToLogsOnError",
            log_pod_spec_on_failure=False,
            log_events_on_failure=True,
            # A node pool that scales from zero takes minutes until a pod starts.
            startup_timeout_seconds=900,
            startup_check_interval_seconds=1,
            **kwargs,
        )
        self._result: Any = None

    def pod_arguments(self, context: Context) -> Sequence[str]:
        """Return the arguments after `stellar-etl`."""
        raise NotImplementedError

    def pod_environment(self, context: Context) -> dict[str, str]:
        """Return the pod's environment variables; none by default."""
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
        """Return the pod. Its sidecar has the Variable's image; the provider reads the image from the connection."""
        request = super().build_pod_request_obj(context, **kwargs)
        for container in request.spec.containers:
            if container.name == PodDefaults.SIDECAR_CONTAINER_NAME:
                container.image = self.pod_settings.kubernetes_sidecar_image or container.image
        return request

    def find_pod(self, namespace: str, context: Context, *, exclude_checked: bool = True) -> k8s.V1Pod | None:
        """Return the pod of this task: that of this try, or one of an earlier try that is not terminating.

        If the response to a create request was lost, there can be several. The latest one is used, the others are
        deleted.
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
            self.log.warning("pod %s also belongs to this task: deleting it", pod.metadata.name)
            self.pod_manager.delete_pod(pod)
        return staying[-1] if staying else None

    def is_a_pod_ending(self, context: Context) -> bool:
        """Whether a terminating pod of this task may still be running its program."""
        selector = self._build_find_pod_label_selector(context, exclude_checked=False)
        pods = self.client.list_namespaced_pod(
            namespace=self.pod_settings.pods_namespace, label_selector=selector
        ).items
        ended = (PodPhase.SUCCEEDED, PodPhase.FAILED)
        return any(pod.metadata.deletion_timestamp and pod.status.phase not in ended for pod in pods)

    def _get_pod_from_task_state_store(self, context: Context) -> k8s.V1Pod | None:
        """Return the pod that an earlier try stored, unless it is terminating. Older providers never call this."""
        pod = super()._get_pod_from_task_state_store(context)
        return None if pod is None or pod.metadata.deletion_timestamp else pod

    def execute(self, context: Context) -> Any:
        """Run the pod and return its result."""
        result = super().execute(context)
        return self._checked(self._result if result is None else result)

    def trigger_reentry(self, context: Context, event: dict[str, Any]) -> Any:
        """Resume after the deferral; return the pod's result."""
        self._result = super().trigger_reentry(context, event)
        return self._checked(self._result)

    def _checked(self, result: Any) -> Any:
        if self.do_xcom_push and result is None:
            raise AirflowException("the pod ended, but its result was lost; the next try runs it again")
        return result

    def cleanup(
        self,
        pod: k8s.V1Pod,
        remote_pod: k8s.V1Pod,
        xcom_result: dict[str, Any] | None = None,
        context: Context | None = None,
    ) -> None:
        """Clean up as the provider does, but fail a killed task at the end.

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
            raise AirflowException("the task was killed and its pod deleted before its work was done")

    def _note_usage(self, context: Context, pod: k8s.V1Pod) -> None:
        """Add a pod's usage to that of the task's other pods in this try."""
        ti = context["ti"]
        usage = usage_of(context, ti.task_id) + used_by(pod, datetime.now(UTC))
        ti.xcom_push(key=USAGE_KEY, value=usage.to_json())

    def _wait_for_network(self, context: Context, reason: str) -> NoReturn:
        """Reschedule the task until the network may have reached the range.

        Raises:
            AirflowRescheduleException: the task runs again after the Variable's interval.
            AirflowFailException: the Variable's limit is exceeded.
        """
        limits, now = settings(WaitSettings), datetime.now(UTC)
        began = context["ti"].get_first_reschedule_date(context) or now
        waited = (now - began).total_seconds()
        if waited >= limits.ledger_wait_timeout:
            raise AirflowFailException(
                f"waited {waited:.0f} s for ledgers that have not closed, the limit of Airflow Variable "
                f"'ledger_wait_timeout': {reason}"
            )
        self.log.info("%s\nwaiting %d s for the network", reason, limits.ledger_wait_interval)
        raise AirflowRescheduleException(  # type: ignore[no-untyped-call]
            now + timedelta(seconds=limits.ledger_wait_interval)
        )


def _exit_status(pod: k8s.V1Pod | None, container: str) -> int | None:
    """Return the exit status of a pod's container; None if it has not ended."""
    for status in (pod and pod.status and pod.status.container_statuses) or []:
        if status.name == container and status.state and status.state.terminated:
            return int(status.state.terminated.exit_code)
    return None


def used_by(pod: k8s.V1Pod, now: datetime) -> Usage:
    """Return a pod's usage: the requests of its containers, from its start to the end of its last container.

    Args:
        pod: the pod.
        now: the end of a container that is still running.
    """
    status = pod.status
    started = status.start_time if status else None
    if started is None:
        return Usage()  # the pod was never scheduled
    ended = [
        one.state.terminated.finished_at if one.state and one.state.terminated else None
        for one in status.container_statuses or []
    ]
    last = max((one or now for one in ended), default=now)
    requests = [container.resources.requests or {} for container in pod.spec.containers if container.resources]
    return Usage.of(requests, max(0.0, (last - started).total_seconds()))


def literal(text: str) -> str:
    """Return an argument or a variable's value escaped for a pod's spec, so that the program gets exactly this text.

    Kubernetes replaces `$(NAME)` by an environment variable of the container, and `$$` by a dollar sign.
    """
    return text.replace("$", "$$")


def affinity_of(pod: PodSettings) -> k8s.V1Affinity | dict[str, Any]:
    """Return the pods' affinity; empty if it is not set.

    Raises:
        SettingsError: the affinity has unknown or incomplete parts. The client would drop unknown parts, and pods would
            run on any node.
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
            f"{wanted}. Of {pod.affinity!r}, Kubernetes accepts {understood!r}: correct the other names and types"
        )
    return affinity


def kubeconfig_of(pod: PodSettings) -> str | None:
    """Return the kubeconfig file of the pods' cluster; None if the connection names the cluster.

    Raises:
        SettingsError: the pods' cluster needs a file that this worker does not have.
    """
    if pod.pod_place == "kubeconfig" and not Path(pod.kubeconfig).expanduser().is_file():
        raise SettingsError(f"Airflow Variable 'kube_config_location': this worker has no file {pod.kubeconfig!r}")
    return pod.kubeconfig or None


def secret_variables(pod: PodSettings, environment: Mapping[str, str]) -> list[k8s.V1EnvVar]:
    """Return the environment variables that the cluster fills from secrets. Workers do not know their values.

    Raises:
        SettingsError: the task itself sets one of them.
    """
    for name in pod.pod_secrets:
        if name in environment:
            raise SettingsError(f"Airflow Variable 'pod_secrets'[{name!r}]: the task sets {name} itself; remove it")
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
    """Return the volume that pods write to.

    Raises:
        SettingsError: Kubernetes does not know a part of `volume_config`. It would drop the part, and pods would write
            to a folder that is deleted with them.
    """
    source = export.volume_config
    described = {"name": export.volume_name, **source}
    try:
        pod = PodGenerator.deserialize_model_dict({"spec": {"volumes": [described], "containers": []}})
        volume = pod.spec.volumes[0]
    except (AttributeError, TypeError, ValueError) as error:
        raise SettingsError(f"Airflow Variable 'volume_config' is not a volume source of Kubernetes: {error}") from None
    understood = ApiClient().sanitize_for_serialization(volume)
    if len(source) != 1 or understood != described:
        raise SettingsError(
            f"Airflow Variable 'volume_config' must be one volume source of Kubernetes, such as "
            f'{{"persistentVolumeClaim": {{"claimName": "exports"}}}}, not {source!r}'
        )
    return volume
