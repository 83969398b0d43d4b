"""All steps of the set-up, in order."""

from __future__ import annotations

from collections.abc import Callable

from scripts.bootstrap_gcp.cloud import Cloud, SetupError
from scripts.bootstrap_gcp.cluster import bring_kubeconfig, cluster_problems, make_cluster, make_namespace
from scripts.bootstrap_gcp.composer import composer_problems, import_into_airflow, make_composer
from scripts.bootstrap_gcp.data import data_problems, make_buckets, make_datasets
from scripts.bootstrap_gcp.project import enable_services, grant_roles, make_accounts, project_problems
from scripts.bootstrap_gcp.wanted import Wanted

Step = tuple[str, Callable[[Cloud, Wanted], None]]


def problems(cloud: Cloud, wanted: Wanted) -> list[str]:
    """What stands in the way, a line each, found by looking alone."""
    if found := project_problems(cloud, wanted):
        return found
    found = data_problems(cloud, wanted) + composer_problems(cloud, wanted)
    return found + (cluster_problems(cloud, wanted) if wanted.gke else [])


def steps(wanted: Wanted) -> list[Step]:
    """What is done, in order, each with its name."""
    gke: list[Step] = [("cluster", make_cluster), ("namespace", make_namespace), ("kubeconfig", bring_kubeconfig)]
    return [
        ("services", enable_services),
        ("service accounts", make_accounts),
        ("buckets", make_buckets),
        ("datasets", make_datasets),
        ("roles", grant_roles),
        *(gke if wanted.gke else []),
        ("Composer environment", make_composer),
        ("Variables and pools", import_into_airflow),
    ]


def run(cloud: Cloud, wanted: Wanted) -> None:
    """Looks at everything first, then takes the steps.

    Raises:
        SetupError: naming the step.
    """
    if found := problems(cloud, wanted):
        raise SetupError("\n".join([*found, "nothing was made"]))
    todo = steps(wanted)
    for number, (name, step) in enumerate(todo, 1):
        print(f"\n# {number}/{len(todo)} {name}", flush=True)
        before = cloud.changes
        try:
            step(cloud, wanted)
        except SetupError as error:
            raise SetupError(f"step {number}, {name}: {error}\nrun this again: it goes on where it ended") from None
        if cloud.changes == before:
            print("# as it shall be")
    what = "commands, none of them run" if cloud.dry_run else "changes"
    print(f"\n# {cloud.changes} {what}. Next: ./upload_static_to_gcs.sh {wanted.airflow_bucket}")
