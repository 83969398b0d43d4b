"""What there shall be on Google Cloud, derived from the options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

from scripts.composer_import import Environment
from stellar_etl_airflow.model.network import PASSPHRASES, network_hash
from stellar_etl_airflow.settings.environments import read_variables
from stellar_etl_airflow.settings.pods import COMPOSER_NAMESPACE

REPO = Path(__file__).resolve().parents[2]
SHIPPED = REPO / "airflow_variables.json"
NODE_POOL = "etl-pool"
TAINT = ("dedicated", NODE_POOL, "NoSchedule")
"""Key, value and effect."""
ROLE = "stellar-etl"
PUBLIC_LAKE = "https://aws-public-blockchain.s3.us-east-2.amazonaws.com/v1.1/stellar/ledgers/pubnet"
"""The public network's ledgers, which the exporter reads too if it is told nothing."""


@dataclass(frozen=True)
class Wanted:
    """What there shall be, by the names of the options."""

    project: str
    location: str
    data_location: str
    name: str
    place: str
    image_version: str
    export_bucket: str
    airflow_bucket: str
    dataset: str
    public_dataset: str
    stellar_network: str
    lake: str
    image: str
    namespace: str
    network: str
    cluster: str
    machine_type: str
    max_nodes: int
    environment: Mapping[str, str]
    own_variables: Mapping[str, Any]

    @property
    def gke(self) -> bool:
        """Whether pods run in a cluster of one's own."""
        return self.place == "gke"

    def account(self, what: str) -> str:
        """The e-mail address of one of the service accounts."""
        return f"{self.name}-{what}@{self.project}.iam.gserviceaccount.com"

    @property
    def composer(self) -> Environment:
        """The Composer environment, as commands name it."""
        return Environment(self.name, self.location, self.airflow_bucket, self.project)

    @property
    def datasets(self) -> list[str]:
        """The datasets that tables are published in."""
        return [name for name in (self.dataset, self.public_dataset) if name]

    @property
    def label(self) -> str:
        """The value of the datasets' network label."""
        passphrase = self.variables["network_passphrase"] or PASSPHRASES[self.stellar_network]
        return network_hash(passphrase)

    @cached_property
    def variables(self) -> dict[str, Any]:
        """The Airflow Variables: the shipped ones, what the set-up knows, and one's own, of which the later win."""
        known = {
            "bq_project": self.project,
            "bq_dataset": self.dataset,
            "public_dataset": self.public_dataset,
            "gcs_exported_data_bucket_name": self.export_bucket,
            "image_name": self.image,
            "txmeta_datastore_path": self.lake,
            "use_testnet": self.stellar_network == "testnet",
            "use_futurenet": self.stellar_network == "futurenet",
            "namespace": self.namespace if self.gke else COMPOSER_NAMESPACE,
            "pod_place": self.place,
        }
        if self.gke:
            key, value, effect = TAINT
            toleration = {"key": key, "operator": "Equal", "value": value, "effect": effect}
            known |= {"k8s_service_account": ROLE, "tolerations": [toleration]}
        else:
            known["affinity"] = {}  # Composer 3 knows none
        return {**read_variables(SHIPPED), **known, **self.own_variables}

    @property
    def environment_variables(self) -> dict[str, str]:
        """The workers' environment. Connections are there, for they hold no secret, and can be compared."""
        connections = {
            "AIRFLOW_CONN_GOOGLE_CLOUD_PLATFORM_CONNECTION": f"google-cloud-platform://?project={self.project}"
        }
        if self.gke:
            path = quote(self.composer.path("kubeconfig"), safe="")
            connections["AIRFLOW_CONN_KUBERNETES_DEFAULT"] = f"kubernetes://?kube_config_path={path}"
        return {**connections, **self.environment}
