"""The wanted state of Google Cloud, derived from the options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from scripts.bootstrap_gcp.sizes import SIZES, Size
from scripts.composer_import import Environment
from stellar_etl_airflow.model.deployment import DEPLOYMENT_VARIABLE, deployment_name
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
"""The public network's ledgers, which the exporter also reads by default."""


@dataclass(frozen=True)
class Wanted:
    """The wanted state, by the names of the options.

    Attributes:
        builds_image: whether the set-up builds the image.
        image_given: whether the user names the image.
        start_date: the start of schedules; empty: the environment's value, or today for a new one.
        min_workers: None: that of the size, for a new environment; max_workers and max_nodes likewise.
    """

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
    builds_image: bool
    image_given: bool
    start_date: str
    size: str
    min_workers: int | None
    max_workers: int | None
    export_days: int
    log_days: int
    database_days: int
    namespace: str
    network: str
    cluster: str
    machine_type: str
    max_nodes: int | None
    environment: Mapping[str, str]
    secret_manager: bool
    secrets: Mapping[str, str] = field(repr=False)
    own_variables: Mapping[str, Any]

    @property
    def gke(self) -> bool:
        """Whether pods run in a separate GKE cluster."""
        return self.place == "gke"

    def account(self, what: str) -> str:
        """The e-mail address of one of the service accounts."""
        return f"{self.name}-{what}@{self.project}.iam.gserviceaccount.com"

    @property
    def puller(self) -> str:
        """The account with which nodes pull the exporter's image; Composer 3's nodes pull as the environment."""
        return self.account("nodes" if self.gke else "composer")

    @property
    def sized(self) -> Size:
        """The resources of a new environment."""
        return SIZES[self.size]

    @property
    def composer(self) -> Environment:
        """The options that name the Composer environment."""
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

    @property
    def deployment(self) -> str:
        """The value of the datasets' deployment label, as the workers compute it."""
        return deployment_name(self.variables["environment"], self.workers_environment)

    @cached_property
    def variables(self) -> dict[str, Any]:
        """The Airflow Variables: the shipped ones, overridden by those of the options."""
        return {**read_variables(SHIPPED), **self.chosen_variables}

    @cached_property
    def chosen_variables(self) -> dict[str, Any]:
        """The Airflow Variables of the options: those of the set-up, overridden by the user's."""
        known = {
            "bq_project": self.project,
            "bq_dataset": self.dataset,
            "public_dataset": self.public_dataset,
            "gcs_exported_data_bucket_name": self.export_bucket,
            "export_days": self.export_days,
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
            known["affinity"] = {}  # not supported by Composer 3
        return {**known, **self.own_variables}

    @property
    def workers_environment(self) -> dict[str, str]:
        """The variables of the workers' environment from the options, and the deployment's name."""
        return {DEPLOYMENT_VARIABLE: f"{self.project}-{self.location}-{self.name}", **self.environment}
