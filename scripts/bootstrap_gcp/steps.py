"""All steps of the set-up, in order."""

from __future__ import annotations

from collections.abc import Callable

from scripts.bootstrap_gcp.cloud import Cloud, SetupError
from scripts.bootstrap_gcp.cluster import cluster_problems, make_cluster, make_namespace
from scripts.bootstrap_gcp.composer import composer_problems, import_into_airflow, make_composer
from scripts.bootstrap_gcp.data import data_problems, keep_for_a_while, make_buckets, make_datasets
from scripts.bootstrap_gcp.image import image_problems, make_image
from scripts.bootstrap_gcp.project import enable_services, grant_roles, make_accounts, project_problems
from scripts.bootstrap_gcp.secrets import seed_secrets
from scripts.bootstrap_gcp.wanted import Wanted

Step = tuple[str, Callable[[Cloud, Wanted], None]]


def problems(cloud: Cloud, wanted: Wanted) -> list[str]:
    """Return the problems, a line each, from read-only checks."""
    if found := project_problems(cloud, wanted):
        return found
    found = data_problems(cloud, wanted) + image_problems(cloud, wanted) + composer_problems(cloud, wanted)
    return found + (cluster_problems(cloud, wanted) if wanted.gke else [])


def steps(wanted: Wanted) -> list[Step]:
    """Return the steps in order, each with its name."""
    gke: list[Step] = [("cluster", make_cluster), ("namespace", make_namespace)]
    return [
        ("services", enable_services),
        ("service accounts", make_accounts),
        ("buckets", make_buckets),
        ("retention", keep_for_a_while),
        ("datasets", make_datasets),
        ("roles", grant_roles),
        ("image", make_image),
        *([("secrets", seed_secrets)] if wanted.secret_manager else []),
        *(gke if wanted.gke else []),
        ("Composer environment", make_composer),
        ("Variables and pools", import_into_airflow),
    ]


def run(cloud: Cloud, wanted: Wanted) -> None:
    """Check everything first, then run the steps.

    Raises:
        SetupError: a step failed; the message names it.
    """
    if found := problems(cloud, wanted):
        raise SetupError("\n".join([*found, "nothing was created"]))
    todo = steps(wanted)
    for number, (name, step) in enumerate(todo, 1):
        print(f"\n# {number}/{len(todo)} {name}", flush=True)
        before = cloud.changes
        try:
            step(cloud, wanted)
        except SetupError as error:
            raise SetupError(f"step {number}, {name}: {error}\nrun this again: it continues at this step") from None
        if cloud.changes == before:
            print("# up to date")
    what = "commands, none of them run" if cloud.dry_run else "changes"
    print(f"\n# {cloud.changes} {what}. Next: ./upload_static_to_gcs.sh {wanted.airflow_bucket}")
