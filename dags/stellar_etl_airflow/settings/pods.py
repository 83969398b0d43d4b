"""Variables of pods: cluster, resources and service accounts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from stellar_etl_airflow.settings.base import Name, SettingsGroup, check_absolute, variable


class GoogleSettings(SettingsGroup):
    """The Google Cloud credentials."""

    api_key_path: str = variable(
        shipped="",
        description="a Google key file, as a path on the workers; empty: the connection's key, or Workload Identity",
        when="the bucket or the tables need another service account than the workers'",
    )

    def check_together(self) -> None:
        """Check the path.

        Raises:
            ValueError: it is relative; the message names the Variable.
        """
        check_absolute("api_key_path", self.api_key_path)


NODE_POOL = {
    "nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [
                {
                    "matchExpressions": [
                        {"key": "cloud.google.com/gke-nodepool", "operator": "In", "values": ["etl-pool"]}
                    ]
                }
            ]
        }
    }
}
"""The affinity that `airflow_variables.json` ships: the node pool `etl-pool`."""

COMPOSER_NAMESPACE = "composer-user-workloads"
"""The namespace of every pod on Composer 3, whatever namespace is requested
(https://cloud.google.com/composer/docs/composer-3/use-kubernetes-pod-operator)."""


COMPOSER_KUBECONFIG = "/home/airflow/composer_kube_config"
"""The kubeconfig of the environment's own cluster on Composer's workers (see the same page)."""


_COMPOSER_RESOURCES = ("cpu", "memory", "ephemeral-storage")


class ClusterSettings(SettingsGroup):
    """The cluster of the pods."""

    pod_place: Literal["gke", "composer3", "kubeconfig"] = variable(
        shipped="gke",
        description="the pods' cluster: `gke` for GKE, `composer3` for Composer 3's own, `kubeconfig` for another",
        when="the deployment is Composer 3, or you run your own cluster",
    )

    def misplaced(self, reasons: Mapping[str, str]) -> list[str]:
        """Return a message per setting that Composer 3 does not support; empty for other clusters.

        Args:
            reasons: the reason, by key.
        """
        given = [key for key in reasons if self.pod_place == "composer3" and getattr(self, key)]
        return [f"'pod_place' is 'composer3', and {key!r} is set: {reasons[key]}" for key in given]


class Toleration(SettingsGroup):
    """One entry of `tolerations`, as in a pod's spec."""

    key: str = ""
    operator: Literal["Equal", "Exists"] = "Equal"
    value: str = ""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    toleration_seconds: int | None = Field(default=None, alias="tolerationSeconds")


SHIPPED_IMAGE = "us-central1-docker.pkg.dev/my-project/stellar-etl/stellar-etl:0.1.0"
"""A name in the user's own registry, as `scripts/bootstrap_gcp.sh` creates it. Users replace `my-project`."""


class SecretKey(SettingsGroup):
    """One entry of `pod_secrets`: a key of a Kubernetes secret in the pods' namespace."""

    secret: Name
    key: Name


_NOT_ON_COMPOSER_3 = {
    "affinity": "Composer 3 chooses the nodes of pods",
    "tolerations": "Composer 3 chooses the nodes of pods",
    "k8s_service_account": "Composer 3 runs pods under the environment's service account",
    "kubernetes_sidecar_image": "Composer 3 only supports Airflow's own sidecar",
    "kube_config_location": "Composer 3 has its own kubeconfig",
}


class PodSettings(GoogleSettings, ClusterSettings):
    """How pods run: cluster, image, resources and service account."""

    image_name: Name = variable(
        description="the exporter's image", when="a new exporter is released", shipped=SHIPPED_IMAGE
    )
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = variable(
        shipped="IfNotPresent",
        description="the pods' image pull policy",
        when="a tag is overwritten: `Always`",
    )
    namespace: Name = variable(
        shipped="default", description="the pods' namespace", when="pods run in another namespace"
    )
    k8s_namespace: str = variable(
        shipped="",
        description="the pods' namespace; overrides `namespace` if set",
        when="pods run in Composer's namespace, such as `composer-user-workloads`",
    )
    k8s_service_account: str = variable(
        shipped="",
        description="the pods' Kubernetes service account; empty: the default",
        when="pods reach the bucket by Workload Identity",
    )
    affinity: dict[str, Any] = variable(
        description="the pods' affinity, as in a pod's spec",
        when="pods need certain nodes; the shipped value selects a node pool `etl-pool`; must be empty on Composer 3",
        shipped=NODE_POOL,
    )
    tolerations: list[Toleration] = variable(
        shipped=[],
        description="the pods' tolerations of taints, as in a pod's spec",
        when="the pods' nodes have taints",
    )
    resources: dict[str, dict[str, dict[str, str]]] = variable(
        description="requests and limits of the pods, by builder, or `default`",
        when="pods run out of memory, or stay pending",
        shipped={"default": {"requests": {"cpu": "0.5", "memory": "1Gi"}, "limits": {"cpu": "1", "memory": "2Gi"}}},
    )
    kube_config_location: str = variable(
        shipped="",
        description="a kubeconfig file; empty: the connection's cluster",
        when="no connection names the pods' cluster",
    )
    kubernetes_sidecar_image: str = variable(
        shipped="",
        description="the image of the sidecar that returns a pod's result; empty: Airflow's",
        when="the cluster cannot pull images from the internet",
    )
    pod_secrets: dict[Annotated[str, Field(pattern="^[A-Za-z_][A-Za-z0-9_]*$")], SecretKey] = variable(
        shipped={},
        description="pods' environment variables from Kubernetes secrets: secret and key, by name of the variable",
        when="the exporter's image needs a secret",
    )

    def check_together(self) -> None:
        """Check that the Variables fit the cluster.

        Raises:
            ValueError: they do not; the message names each and the reason.
        """
        super().check_together()
        problems = self.misplaced(_NOT_ON_COMPOSER_3)
        if self.pod_place == "composer3":
            problems += self._not_as_composer_has_it()
        if self.pod_place == "kubeconfig" and not self.kube_config_location:
            problems.append(
                "'pod_place' is 'kubeconfig', and 'kube_config_location' is empty: set the file's path on the workers"
            )
        if problems:
            raise ValueError("; ".join(problems))

    def _not_as_composer_has_it(self) -> Iterator[str]:
        for key in ("namespace", "k8s_namespace"):
            name = getattr(self, key)
            if name not in ("", "default", COMPOSER_NAMESPACE):
                yield f"'pod_place' is 'composer3', and {key!r} is {name!r}: pods there run in {COMPOSER_NAMESPACE!r}"
        requested = {name for sizes in self.resources.values() for amounts in sizes.values() for name in amounts}
        for name in sorted(requested - set(_COMPOSER_RESOURCES)):
            known = ", ".join(_COMPOSER_RESOURCES)
            yield f"'pod_place' is 'composer3', and 'resources' has {name!r}: pods there support {known}"

    @property
    def pods_namespace(self) -> str:
        """The pods' namespace."""
        return COMPOSER_NAMESPACE if self.pod_place == "composer3" else self.k8s_namespace or self.namespace

    @property
    def kubeconfig(self) -> str:
        """The kubeconfig file; empty if the connection names the cluster."""
        return COMPOSER_KUBECONFIG if self.pod_place == "composer3" else self.kube_config_location
