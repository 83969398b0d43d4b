"""The buckets and datasets."""

from __future__ import annotations

import json
from typing import Any

from scripts.bootstrap_gcp.cloud import Cloud
from scripts.bootstrap_gcp.wanted import Wanted
from stellar_etl_airflow.model.deployment import DEPLOYMENT_LABEL
from stellar_etl_airflow.model.network import NETWORK_LABEL


def described_bucket(cloud: Cloud, name: str) -> Any:
    """Return a bucket, None if it does not exist."""
    return cloud.see(cloud.gcloud("storage", "buckets", "describe", f"gs://{name}"))


def described_dataset(cloud: Cloud, name: str) -> Any:
    """Return a dataset, None if it does not exist."""
    return cloud.described(cloud.bq("--format=json", "show", "--dataset", f"{cloud.project}:{name}"))


def data_problems(cloud: Cloud, wanted: Wanted) -> list[str]:
    """Return the problems of existing buckets and datasets."""
    found = []
    places = {wanted.export_bucket: wanted.data_location, wanted.airflow_bucket: wanted.location}
    for name, location in places.items():
        bucket = described_bucket(cloud, name)
        if bucket and bucket["location"].lower() != location.lower():
            found.append(
                f"bucket gs://{name} is in {bucket['location']}, not in {location}: name another bucket, or move it"
            )
    for name in wanted.datasets:
        dataset = described_dataset(cloud, name)
        if not dataset:
            continue
        if dataset["location"].lower() != wanted.data_location.lower():
            found.append(
                f"dataset {name} is in {dataset['location']}, not in {wanted.data_location}: BigQuery loads "
                f"from a bucket of the dataset's location; name another dataset, or give --data-location"
            )
        if dataset.get("labels", {}).get(NETWORK_LABEL, wanted.label) != wanted.label:
            found.append(f"dataset {name} contains ledgers of another network: name another dataset")
        owner = dataset.get("labels", {}).get(DEPLOYMENT_LABEL, wanted.deployment)
        if owner != wanted.deployment:
            found.append(
                f"dataset {name} is written by the deployment {owner}, and this is {wanted.deployment}: name another "
                f"dataset, or pause the other deployment's DAGs, wait until its runs have ended, and run: "
                f"bq update --set_label {DEPLOYMENT_LABEL}:{wanted.deployment} {wanted.project}:{name}"
            )
    return found


def make_buckets(cloud: Cloud, wanted: Wanted) -> None:
    """Create the bucket of exports, and Airflow's."""
    for name, location in ((wanted.export_bucket, wanted.data_location), (wanted.airflow_bucket, wanted.location)):
        if described_bucket(cloud, name) is None:
            closed = ["--uniform-bucket-level-access", "--public-access-prevention"]
            cloud.change(
                cloud.gcloud("storage", "buckets", "create", f"gs://{name}", f"--location={location}", *closed)
            )


def retention(days: int, prefix: str = "") -> dict[str, Any]:
    """Return a lifecycle configuration that deletes objects after days (https://cloud.google.com/storage/docs/lifecycle)."""
    condition: dict[str, Any] = {"age": days} | ({"matchesPrefix": [prefix]} if prefix else {})
    return {"rule": [{"action": {"type": "Delete"}, "condition": condition}]}


def keep_for_a_while(cloud: Cloud, wanted: Wanted) -> None:
    """Set the retention of exported files and of logs. Other rules of the buckets are replaced."""
    rules = {
        wanted.export_bucket: ("exports", retention(wanted.export_days)),
        wanted.airflow_bucket: ("logs", retention(wanted.log_days, "logs/")),
    }
    for name, (what, lifecycle) in rules.items():
        current = (described_bucket(cloud, name) or {}).get("lifecycle_config")
        if current != lifecycle:
            file = cloud.write(f"{what}_lifecycle.json", json.dumps(lifecycle, indent=2) + "\n")
            cloud.change(cloud.gcloud("storage", "buckets", "update", f"gs://{name}", f"--lifecycle-file={file}"))


def make_datasets(cloud: Cloud, wanted: Wanted) -> None:
    """Create the datasets, with labels of network and deployment: the DAGs need no permission to change a dataset."""
    network = f"{NETWORK_LABEL}:{wanted.label}"
    for name in wanted.datasets:
        full = f"{wanted.project}:{name}"
        dataset = described_dataset(cloud, name)
        if dataset is None:
            cloud.change(cloud.bq(f"--location={wanted.data_location}", "mk", "--dataset", f"--label={network}", full))
            dataset = {"labels": {NETWORK_LABEL: wanted.label}}
        for key, value in ((NETWORK_LABEL, wanted.label), (DEPLOYMENT_LABEL, wanted.deployment)):
            if key not in dataset.get("labels", {}):
                cloud.change(cloud.bq("update", f"--set_label={key}:{value}", full))
