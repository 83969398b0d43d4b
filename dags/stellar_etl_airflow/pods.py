"""The one wrapper around the pod operator; each deviation carries its reason."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from airflow.providers.cncf.kubernetes.backcompat.backwards_compat_converters import convert_affinity
from airflow.providers.cncf.kubernetes.operators.pod import FoundMoreThanOnePodFailure, KubernetesPodOperator
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowException
from kubernetes.client import models as k8s

from stellar_etl_airflow.runtime import SettingsAtRunTime, settings
from stellar_etl_airflow.settings import ExportSettings, PodSettings

PROGRAM = "stellar-etl"
GRACE_SECONDS = 30


class StellarPodOperator(SettingsAtRunTime, KubernetesPodOperator):
    """Runs `stellar-etl` in a pod, with the image, place and limits that the Variables say.

    - The arguments are argv elements, made by `pod_arguments` when the task runs; no shell reads them.
    - Pods have no fixed name, a deadline and a grace period, and are deleted when they finish.
    - A task that was killed fails: the provider's operator deletes the pod and then reports success
      (https://github.com/apache/airflow/issues/73006).
    - A pod that is being deleted is nobody's: the provider's operator counts it, finds two pods where a try made a new
      one, and fails that try and each further one (https://github.com/apache/airflow/issues/10544).
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

    def apply_settings(self, context: Context) -> None:
        """Sets the pod's fields from the Variables."""
        pod = settings(PodSettings)
        self.image = pod.image_name
        self.image_pull_policy = pod.image_pull_policy
        self.namespace = pod.k8s_namespace or pod.namespace
        self.service_account_name = pod.k8s_service_account or None
        self.affinity = convert_affinity(pod.affinity) if pod.affinity else {}
        self.config_file = pod.kube_config_location or None
        resources = pod.resources.get(self.builder) or pod.resources.get("default")
        self.container_resources = k8s.V1ResourceRequirements(**resources) if resources else None
        if self.execution_timeout is not None:
            self.active_deadline_seconds = int(self.execution_timeout.total_seconds())
        self.labels = {"app": PROGRAM, "builder": re.sub(r"[^A-Za-z0-9.-]", "-", self.builder)}
        self.arguments = list(self.pod_arguments(context))

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

    def _get_pod_from_task_state_store(self, context: Context) -> k8s.V1Pod | None:
        """The pod that an earlier try noted, unless it is being deleted. Older providers note none, and never ask."""
        pod = super()._get_pod_from_task_state_store(context)
        return None if pod is None or pod.metadata.deletion_timestamp else pod

    def execute(self, context: Context) -> Any:
        """Runs the pod and gives what it left as its result."""
        result = super().execute(context)
        return self._checked(self._result if result is None else result)

    def trigger_reentry(self, context: Context, event: dict[str, Any]) -> Any:
        """Comes back from the triggerer; gives what the pod left as its result."""
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
        """Cleans up as the provider does; a killed task fails in the end."""
        super().cleanup(pod, remote_pod, xcom_result, context)
        if self._killed:
            # https://github.com/apache/airflow/issues/73006
            raise AirflowException("the task was killed and its pod deleted: its work is not done")


def network_arguments(export: ExportSettings) -> list[str]:
    """The arguments that name the network and where its ledgers come from."""
    network = ["--testnet"] if export.use_testnet else ["--futurenet"] if export.use_futurenet else []
    return [*network, "--datastore-path", export.txmeta_datastore_path]
