"""The buckets and datasets."""

from __future__ import annotations

import json
from typing import Any

from scripts.bootstrap_gcp.cloud import Cloud
from scripts.bootstrap_gcp.wanted import Wanted
from stellar_etl_airflow.model.network import NETWORK_LABEL


def described_bucket(cloud: Cloud, name: str) -> Any:
    """A bucket, None if there is none."""
    return cloud.see(cloud.gcloud("storage", "buckets", "describe", f"gs://{name}"))


def described_dataset(cloud: Cloud, name: str) -> Any:
    """A dataset, None if there is none."""
    text = cloud.look(cloud.bq("--format=json", "show", "--dataset", f"{cloud.project}:{name}"))
    return None if text is None else json.loads(text)


def data_problems(cloud: Cloud, wanted: Wanted) -> list[str]:
    """What buckets and datasets of those names have that does not fit."""
    found = []
    places = {wanted.export_bucket: wanted.data_location, wanted.airflow_bucket: wanted.location}
    for name, location in places.items():
        bucket = described_bucket(cloud, name)
        if bucket and bucket["location"].lower() != location.lower():
            found.append(
                f"bucket gs://{name} lies in {bucket['location']}, not in {location}: name another, or move it"
            )
    for name in wanted.datasets:
        dataset = described_dataset(cloud, name)
        if not dataset:
            continue
        if dataset["location"].lower() != wanted.data_location.lower():
            found.append(
                f"dataset {name} lies in {dataset['location']}, not in {wanted.data_location}: BigQuery loads "
                f"from a bucket of the dataset's location; name another dataset, or give --data-location"
            )
        if dataset.get("labels", {}).get(NETWORK_LABEL, wanted.label) != wanted.label:
            found.append(f"dataset {name} holds the ledgers of another network: name another")
    return found


def make_buckets(cloud: Cloud, wanted: Wanted) -> None:
    """The bucket of exports, and Airflow's."""
    for name, location in ((wanted.export_bucket, wanted.data_location), (wanted.airflow_bucket, wanted.location)):
        if described_bucket(cloud, name) is None:
            closed = ["--uniform-bucket-level-access", "--public-access-prevention"]
            cloud.change(
                cloud.gcloud("storage", "buckets", "create", f"gs://{name}", f"--location={location}", *closed)
            )


def make_datasets(cloud: Cloud, wanted: Wanted) -> None:
    """The datasets, labelled with their network: whoever loads needs no right to change a dataset."""
    label = f"{NETWORK_LABEL}:{wanted.label}"
    for name in wanted.datasets:
        full = f"{wanted.project}:{name}"
        dataset = described_dataset(cloud, name)
        if dataset is None:
            cloud.change(cloud.bq(f"--location={wanted.data_location}", "mk", "--dataset", f"--label={label}", full))
        elif NETWORK_LABEL not in dataset.get("labels", {}):
            cloud.change(cloud.bq("update", f"--set_label={label}", full))
