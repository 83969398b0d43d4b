"""The Composer environment, its packages, and its Variables and pools."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from scripts.bootstrap_gcp.cloud import Cloud
from scripts.bootstrap_gcp.wanted import REPO, Wanted

IMPORTED = "imported"
"""The folder with what Airflow imported last, so that it is imported again only if it changes."""


def described_composer(cloud: Cloud, wanted: Wanted) -> Any:
    """The Composer environment, None if there is none."""
    return cloud.see(cloud.gcloud("composer", "environments", "describe", wanted.name, f"--location={wanted.location}"))


def composer_problems(cloud: Cloud, wanted: Wanted) -> list[str]:
    """What an environment of that name has that can't be changed."""
    composer = described_composer(cloud, wanted)
    if composer is None:
        return []
    found = []
    if composer["state"] != "RUNNING":
        found.append(f"Composer environment {wanted.name} is {composer['state']}: wait until it is RUNNING")
    version = composer["config"]["softwareConfig"]["imageVersion"]
    if not re.match(r"composer-3-airflow-([3-9]|\d\d)", version):
        found.append(f"Composer environment {wanted.name} is {version}: the DAGs need Airflow 3, which Composer 3 has")
    account = composer["config"]["nodeConfig"]["serviceAccount"]
    if account != wanted.account("composer"):
        found.append(f"Composer environment {wanted.name} runs as {account}, not as {wanted.account('composer')}")
    bucket = composer["config"]["dagGcsPrefix"].removeprefix("gs://").removesuffix("/dags")
    if bucket != wanted.airflow_bucket:
        found.append(f"Composer environment {wanted.name} has the bucket {bucket}: give --airflow-bucket {bucket}")
    return found


def make_composer(cloud: Cloud, wanted: Wanted) -> None:
    """The Composer environment with its environment variables and packages."""
    place = f"--location={wanted.location}"
    composer = described_composer(cloud, wanted)
    assignments = wanted.environment_variables
    if composer is None:
        # An environment that was deleted leaves its bucket, and with it the word that its database was filled.
        forget_imports(cloud, wanted)
        options = [
            *(f"--image-version={wanted.image_version}", "--environment-size=small"),
            *(f"--service-account={wanted.account('composer')}", f"--storage-bucket={wanted.airflow_bucket}"),
            f"--env-variables={joined(assignments)}",
        ]
        cloud.change(cloud.gcloud("composer", "environments", "create", wanted.name, place, *options))
    software = composer["config"]["softwareConfig"] if composer else {"envVariables": assignments}
    update = ["composer", "environments", "update", wanted.name, place]
    held = software.get("envVariables", {})
    if differing := {key: value for key, value in assignments.items() if held.get(key) != value}:
        cloud.change(cloud.gcloud(*update, f"--update-env-variables={joined(differing)}"))
    packages = software.get("pypiPackages", {})
    if any(packages.get(name) != rest for name, rest in requirements().items()):
        cloud.change(cloud.gcloud(*update, "--update-pypi-packages-from-file=requirements.txt"))


def requirements() -> dict[str, str]:
    """What Composer installs: the rest of each requirement by its package, as `describe` shows them."""
    lines = [line.strip() for line in (REPO / "requirements.txt").read_text().splitlines()]
    parts = [re.fullmatch(r"([\w.-]+)\s*(.*)", line) for line in lines if line and not line.startswith("#")]
    return {part[1]: part[2] for part in parts if part}


def joined(assignments: Mapping[str, str]) -> str:
    """Assignments as gcloud takes them; a comma in a value needs another delimiter (`gcloud topic escaping`)."""
    pairs = [f"{key}={value}" for key, value in assignments.items()]
    return "^;^" + ";".join(pairs) if any("," in pair for pair in pairs) else ",".join(pairs)


def forget_imports(cloud: Cloud, wanted: Wanted) -> None:
    """Takes away the word of what was imported."""
    for name in ("variables", "pools"):
        url = wanted.composer.url(f"{IMPORTED}/{name}.json")
        if cloud.look(cloud.gcloud("storage", "cat", url)) is not None:
            cloud.change(cloud.gcloud("storage", "rm", url))


def import_into_airflow(cloud: Cloud, wanted: Wanted) -> None:
    """Variables and pools, where the files differ from what was imported last: what people change in the UI stays."""
    variables = json.dumps(wanted.variables, indent=2) + "\n"
    pools = (REPO / "airflow_pools.json").read_text()
    for what, content in (("variables", variables), ("pools", pools)):
        file = f"{what}.json"
        brought, imported = wanted.composer.url(file), wanted.composer.url(f"{IMPORTED}/{file}")
        if cloud.look(cloud.gcloud("storage", "cat", imported)) == content:
            continue
        if cloud.look(cloud.gcloud("storage", "cat", brought)) != content:
            cloud.change(wanted.composer.upload(cloud.write(file, content)))
        cloud.change(wanted.composer.load(what, file))
        cloud.change(cloud.gcloud("storage", "cp", brought, imported))
