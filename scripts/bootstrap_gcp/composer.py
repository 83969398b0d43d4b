"""The Composer environment, its packages, and its Variables and pools."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from scripts.bootstrap_gcp.cloud import Cloud
from scripts.bootstrap_gcp.cluster import kubeconfig
from scripts.bootstrap_gcp.secrets import backend_configs
from scripts.bootstrap_gcp.wanted import REPO, Wanted

START_DATE = "STELLAR_ETL_START_DATE"
KUBERNETES = "AIRFLOW_CONN_KUBERNETES_DEFAULT"

IMPORTED = "imported"
"""The folder of Airflow's last import, so that values are imported again only if they change."""


def described_composer(cloud: Cloud, wanted: Wanted) -> Any:
    """Return the Composer environment, None if it does not exist."""
    return cloud.see(cloud.gcloud("composer", "environments", "describe", wanted.name, f"--location={wanted.location}"))


def composer_problems(cloud: Cloud, wanted: Wanted) -> list[str]:
    """Return the problems of an existing environment of that name that can't be changed."""
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
    """Create or update the Composer environment with its environment variables and packages."""
    place = f"--location={wanted.location}"
    composer = described_composer(cloud, wanted)
    if composer is None:
        # A deleted environment leaves its bucket, and in it the record of the import into its database.
        forget_imports(cloud, wanted)
        today = datetime.now(UTC).strftime("%Y-%m-%dT00:00:00Z")
        assignments = {START_DATE: wanted.start_date or today, **environment_variables(cloud, wanted)}
        options = [
            *(f"--image-version={wanted.image_version}", *sizes(wanted)),
            f"--airflow-database-retention-days={wanted.database_days}",
            *(f"--service-account={wanted.account('composer')}", f"--storage-bucket={wanted.airflow_bucket}"),
            f"--airflow-configs={joined(airflow_configs(wanted))}",
            assigned(cloud, "env-variables", assignments),
        ]
        cloud.change(cloud.gcloud("composer", "environments", "create", wanted.name, place, *options))
        software: dict[str, Any] = {}
    else:
        software = composer["config"]["softwareConfig"]
        bring_up_to_date(cloud, wanted, composer["config"])
    update = ["composer", "environments", "update", wanted.name, place]
    packages = software.get("pypiPackages", {})
    if any(packages.get(name) != rest for name, rest in requirements().items()):
        cloud.change(cloud.gcloud(*update, "--update-pypi-packages-from-file=requirements.txt"))


def bring_up_to_date(cloud: Cloud, wanted: Wanted, config: Mapping[str, Any]) -> None:
    """Change an existing environment to the options; one kind of change per command, as gcloud requires.

    Existing entries of Airflow's configuration stay: a user chose them.
    """
    update = ["composer", "environments", "update", wanted.name, f"--location={wanted.location}"]
    software = config["softwareConfig"]
    chosen = {START_DATE: wanted.start_date} if wanted.start_date else {}
    current = software.get("envVariables", {})
    assignments = {**chosen, **environment_variables(cloud, wanted)}
    if differing := {key: value for key, value in assignments.items() if current.get(key) != value}:
        cloud.change(cloud.gcloud(*update, assigned(cloud, "update-env-variables", differing)))
    overrides = software.get("airflowConfigOverrides", {})
    if missing := {key: value for key, value in airflow_configs(wanted).items() if key not in overrides}:
        cloud.change(cloud.gcloud(*update, f"--update-airflow-configs={joined(missing)}"))
    kept = config.get("dataRetentionConfig", {}).get("airflowMetadataRetentionConfig", {}).get("retentionDays")
    if kept != wanted.database_days:
        cloud.change(cloud.gcloud(*update, f"--airflow-database-retention-days={wanted.database_days}"))
    worker = config.get("workloadsConfig", {}).get("worker", {})
    limits = {"min": wanted.min_workers, "max": wanted.max_workers}
    if any(limit and worker.get(f"{name}Count") != limit for name, limit in limits.items()):
        cloud.change(cloud.gcloud(*update, *(f"--{name}-workers={limit}" for name, limit in limits.items() if limit)))


def sizes(wanted: Wanted) -> list[str]:
    """Return the size options of a new environment."""
    size = wanted.sized
    return [
        f"--environment-size={size.database}",
        *size.scheduler.options("scheduler"),
        *size.dag_processor.options("dag-processor"),
        *size.triggerer.options("triggerer"),
        f"--min-workers={wanted.min_workers or size.worker.count}",
        f"--max-workers={wanted.max_workers or size.max_workers}",
        *size.worker.each("worker"),
    ]


def airflow_configs(wanted: Wanted) -> dict[str, str]:
    """Return Airflow's configuration in Composer's form.

    https://cloud.google.com/composer/docs/override-airflow-configurations

    DAGs start paused. Waiting tasks are deferred to the triggerer, so that they hold no worker slot.
    """
    return {
        "core-dags_are_paused_at_creation": "True",
        "operators-default_deferrable": "True",
        "celery-worker_concurrency": str(wanted.sized.concurrency),
        **backend_configs(wanted),
    }


def environment_variables(cloud: Cloud, wanted: Wanted) -> dict[str, str]:
    """Return the environment of all parts of Airflow. It includes connections, which contain no secret.

    The connection contains the kubeconfig: the triggerer, which waits for pods, has no files of the bucket's `data/`
    (https://cloud.google.com/composer/docs/composer-3/cloud-storage).
    """
    connections = {
        "AIRFLOW_CONN_GOOGLE_CLOUD_PLATFORM_CONNECTION": f"google-cloud-platform://?project={wanted.project}"
    }
    if wanted.gke:
        connections[KUBERNETES] = f"kubernetes://?kube_config={quote(kubeconfig(cloud), safe='')}"
    return {**connections, **wanted.workers_environment}


def assigned(cloud: Cloud, option: str, assignments: Mapping[str, str]) -> str:
    """Return an option with assignments; a long kubeconfig goes into a file (`gcloud topic flags-file`)."""
    if KUBERNETES not in assignments:
        return f"--{option}={joined(assignments)}"
    file = cloud.write(f"{option}.json", json.dumps({f"--{option}": dict(assignments)}, indent=2) + "\n")
    return f"--flags-file={file}"


def requirements() -> dict[str, str]:
    """Return Composer's packages: the rest of each requirement by its package, as in the output of `describe`."""
    lines = [line.strip() for line in (REPO / "requirements.txt").read_text().splitlines()]
    parts = [re.fullmatch(r"([\w.-]+)\s*(.*)", line) for line in lines if line and not line.startswith("#")]
    return {part[1]: part[2] for part in parts if part}


def joined(assignments: Mapping[str, str]) -> str:
    """Return assignments in gcloud's form; a comma in a value needs another delimiter (`gcloud topic escaping`)."""
    pairs = [f"{key}={value}" for key, value in assignments.items()]
    return "^;^" + ";".join(pairs) if any("," in pair for pair in pairs) else ",".join(pairs)


def forget_imports(cloud: Cloud, wanted: Wanted) -> None:
    """Delete the record of the import."""
    for name in ("variables", "pools"):
        url = wanted.composer.url(f"{IMPORTED}/{name}.json")
        if cloud.read(cloud.gcloud("storage", "cat", url)) is not None:
            cloud.change(cloud.gcloud("storage", "rm", url))


def import_into_airflow(cloud: Cloud, wanted: Wanted) -> None:
    """Import Variables and pools that Airflow lacks, and Variables whose options changed since the last run.

    Changes by users and deployments stay: an existing Variable keeps its value unless its option changed since the last
    run of the set-up, and a pool keeps its slots. Once a deployment has set the image, it changes only if `--image`
    names another one.
    """
    variables, known = wanted.variables, imported(cloud, wanted, "variables")
    if known != variables:
        changed = {
            key: value
            for key, value in wanted.chosen_variables.items()
            if key in known and known[key] != value and (key != "image_name" or wanted.image_given)
        }
        bring(cloud, wanted, "variables", "variables.json", variables, "--action-on-existing-key=skip")
        if changed:
            bring(cloud, wanted, "variables", "changed_variables.json", changed)
        note(cloud, wanted, "variables", variables)
    pools, known = json.loads((REPO / "airflow_pools.json").read_text()), imported(cloud, wanted, "pools")
    if added := {name: pool for name, pool in pools.items() if name not in known}:
        bring(cloud, wanted, "pools", "new_pools.json", added)
        note(cloud, wanted, "pools", pools)


def imported(cloud: Cloud, wanted: Wanted, what: str) -> dict[str, Any]:
    """Return the last import of the set-up; empty at first."""
    text = cloud.read(cloud.gcloud("storage", "cat", wanted.composer.url(f"{IMPORTED}/{what}.json")))
    return json.loads(text) if text else {}


def bring(cloud: Cloud, wanted: Wanted, what: str, file: str, content: Mapping[str, Any], *options: str) -> None:
    """Let Airflow import values from a file in the bucket, so that they are on no command line."""
    text = json.dumps(content, indent=2) + "\n"
    if cloud.read(cloud.gcloud("storage", "cat", wanted.composer.url(file))) != text:
        cloud.change(wanted.composer.upload(cloud.write(file, text)))
    cloud.change(wanted.composer.load(what, file, *options))


def note(cloud: Cloud, wanted: Wanted, what: str, content: Mapping[str, Any]) -> None:
    """Record the import, for the next run of the set-up."""
    file = cloud.write(f"imported_{what}.json", json.dumps(content, indent=2) + "\n")
    cloud.change(cloud.gcloud("storage", "cp", str(file), wanted.composer.url(f"{IMPORTED}/{what}.json")))
