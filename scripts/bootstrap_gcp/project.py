"""The project: permissions, services, service accounts, and their roles."""

from __future__ import annotations

import shutil

from scripts.bootstrap_gcp.cloud import Cloud
from scripts.bootstrap_gcp.data import described_dataset
from scripts.bootstrap_gcp.wanted import Wanted
from stellar_etl_airflow.settings.checks import check

SERVICES = ("artifactregistry", "bigquery", "cloudresourcemanager", "composer", "iam", "storage", "cloudbuild")
PERMISSIONS = (
    "artifactregistry.repositories.create",
    "artifactregistry.repositories.setIamPolicy",
    "bigquery.datasets.create",
    "bigquery.datasets.update",
    "bigquery.jobs.create",
    "cloudbuild.builds.create",
    "composer.environments.create",
    "composer.environments.executeAirflowCommand",
    "composer.environments.update",
    "iam.serviceAccounts.actAs",
    "iam.serviceAccounts.create",
    "resourcemanager.projects.setIamPolicy",
    "serviceusage.services.enable",
    "storage.buckets.create",
    "storage.buckets.setIamPolicy",
    "storage.objects.create",
)
SECRET_PERMISSIONS = (
    "secretmanager.secrets.create",
    "secretmanager.versions.access",
    "secretmanager.versions.add",
)
GKE_PERMISSIONS = (
    "artifactregistry.repositories.create",
    "artifactregistry.repositories.setIamPolicy",
    "compute.networks.create",
    "compute.subnetworks.create",
    "container.clusters.create",
    "container.clusters.update",
    "container.roleBindings.create",
    "container.roles.create",
    "container.serviceAccounts.create",
    "iam.serviceAccounts.setIamPolicy",
)


def project_problems(cloud: Cloud, wanted: Wanted) -> list[str]:
    """Return missing preconditions: programs, permissions, valid Variables."""
    programs = ["gcloud", "bq", *(["kubectl", "gke-gcloud-auth-plugin"] if wanted.gke else [])]
    missing = [program for program in programs if not shutil.which(program)]
    if missing:
        return [f"{name} is missing: install it (https://cloud.google.com/sdk/docs/install)" for name in missing]
    if cloud.see(["gcloud", "projects", "describe", wanted.project]) is None:
        return [f"project {wanted.project} does not exist, or you lack the permission to read it"]
    needed = [*PERMISSIONS]
    needed += GKE_PERMISSIONS if wanted.gke else ()
    needed += SECRET_PERMISSIONS if wanted.secret_manager else ()
    return check(wanted.variables) + [
        f"you lack the permission {permission} on project {wanted.project}: ask its administrators"
        for permission in cloud.permissions_missing(needed)
    ]


def enable_services(cloud: Cloud, wanted: Wanted) -> None:
    """The services that are used."""
    used = [*SERVICES]
    used += ["compute", "container"] if wanted.gke else []
    used += ["secretmanager"] if wanted.secret_manager else []
    names = [f"{name}.googleapis.com" for name in used]
    listed = cloud.see(cloud.gcloud("services", "list", "--enabled")) or []
    enabled = {service["config"]["name"] for service in listed}
    if missing := [name for name in names if name not in enabled]:
        cloud.change(cloud.gcloud("services", "enable", *missing))


def make_accounts(cloud: Cloud, wanted: Wanted) -> None:
    """The service accounts. Long before they are given roles: a new one is not known everywhere at once."""
    titles = {"composer": "Airflow of stellar-etl"}
    if wanted.gke:
        titles |= {"pods": "Export pods of stellar-etl", "nodes": "Nodes of stellar-etl"}
    titles["build"] = "Builds of stellar-etl"
    for what, title in titles.items():
        if cloud.see(cloud.gcloud("iam", "service-accounts", "describe", wanted.account(what))) is None:
            name = f"{wanted.name}-{what}"
            cloud.change(cloud.gcloud("iam", "service-accounts", "create", name, f"--display-name={title}"))


def grant_roles(cloud: Cloud, wanted: Wanted) -> None:
    """What each account may do, and no more: roles on buckets and datasets where there are such."""
    composer = f"serviceAccount:{wanted.account('composer')}"
    # A task lists all jobs of the project before it writes a table (bigquery.jobs.listAll).
    project_roles = {"composer": ["roles/composer.worker", "roles/bigquery.jobUser", "roles/bigquery.resourceViewer"]}
    if wanted.gke:
        project_roles["composer"].append("roles/container.clusterViewer")
        project_roles["nodes"] = ["roles/container.defaultNodeServiceAccount"]
    if wanted.secret_manager:
        # On the project, not on single secrets: Airflow requests each Variable, and most are not secrets.
        project_roles["composer"].append("roles/secretmanager.secretAccessor")
    project_roles["build"] = ["roles/cloudbuild.builds.builder"]
    for what, roles in project_roles.items():
        for role in roles:
            cloud.grant(["projects"], wanted.project, f"serviceAccount:{wanted.account(what)}", role)
    buckets = ["storage", "buckets"]
    for name in (wanted.export_bucket, wanted.airflow_bucket):
        cloud.grant(buckets, f"gs://{name}", composer, "roles/storage.objectUser")
    # To read the bucket's lifecycle rule, which the DAG preflight checks; storage.objectUser does not allow it.
    cloud.grant(buckets, f"gs://{wanted.export_bucket}", composer, "roles/storage.legacyBucketReader")
    # Composer 3 runs pods as the environment's own account.
    pods = f"serviceAccount:{wanted.account('pods')}" if wanted.gke else composer
    if wanted.gke:
        cloud.grant(buckets, f"gs://{wanted.export_bucket}", pods, "roles/storage.objectCreator")
    if wanted.lake.startswith("gs://"):
        lake = wanted.lake.removeprefix("gs://").split("/")[0]
        if lake in [bucket["name"] for bucket in cloud.see(cloud.gcloud("storage", "buckets", "list")) or []]:
            cloud.grant(buckets, f"gs://{lake}", pods, "roles/storage.objectViewer")
        else:
            print(f"# gs://{lake} is not of this project: its owner must let {pods} read it")
    for name in wanted.datasets:
        email = wanted.account("composer")
        access = (described_dataset(cloud, name) or {}).get("access", [])
        # BigQuery shows the role by its older name.
        editors = [
            entry.get("userByEmail") for entry in access if entry.get("role") in ("WRITER", "roles/bigquery.dataEditor")
        ]
        if email not in editors:
            schema = f"`{wanted.project}`.`{name}`"
            statement = f'GRANT `roles/bigquery.dataEditor` ON SCHEMA {schema} TO "serviceAccount:{email}"'
            cloud.change(cloud.bq(f"--location={wanted.data_location}", "query", "--use_legacy_sql=false", statement))
