"""Sets up Google Cloud for the DAGs: looks at what is there, makes what is missing, changes what differs.

Standard output is a shell script: what is done, command by command, under a comment for each step. Nothing is made
before everything that can be looked at is in order: programs, permissions, names, places and the Variables.

Which commands and options there are: https://cloud.google.com/sdk/gcloud/reference,
https://cloud.google.com/bigquery/docs/reference/bq-cli-reference and https://kubernetes.io/docs/reference/kubectl/.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from stellar_etl_airflow.model.network import PASSPHRASES, network_hash
from stellar_etl_airflow.settings.base import SettingsError
from stellar_etl_airflow.settings.checks import check
from stellar_etl_airflow.settings.environments import read_variables
from stellar_etl_airflow.settings.pods import COMPOSER_NAMESPACE

REPO = Path(__file__).resolve().parent.parent
SHIPPED = REPO / "airflow_variables.json"
NETWORK_LABEL = "stellar_network"
NODE_POOL = "etl-pool"
TAINT = ("dedicated", NODE_POOL, "NoSchedule")
"""Key, value and effect."""
ROLE = "stellar-etl"
ABSENT = r"not[ _]?found|matched no objects|SERVICE_DISABLED|API has not been used"
"""How the programs say that there is no such thing, or not even its service yet."""

IMPORTED = "data/stellar-etl/imported"
"""The bucket's folder with what Airflow imported last, so that it is imported again only if it changes."""

PUBLIC_LAKE = "https://aws-public-blockchain.s3.us-east-2.amazonaws.com/v1.1/stellar/ledgers/pubnet"
"""The public network's ledgers, which the exporter reads too if it is told nothing."""

SERVICES = ("bigquery", "cloudresourcemanager", "composer", "iam", "storage")

PERMISSIONS = (
    "bigquery.datasets.create",
    "bigquery.datasets.update",
    "bigquery.jobs.create",
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
GKE_PERMISSIONS = (
    "compute.networks.create",
    "compute.subnetworks.create",
    "container.clusters.create",
    "container.clusters.update",
    "container.roleBindings.create",
    "container.roles.create",
    "container.serviceAccounts.create",
    "iam.serviceAccounts.setIamPolicy",
)


class SetupError(Exception):
    """Something is not as it has to be; the message says what to do."""


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
            path = quote("/home/airflow/gcs/data/stellar-etl/kubeconfig", safe="")
            connections["AIRFLOW_CONN_KUBERNETES_DEFAULT"] = f"kubernetes://?kube_config_path={path}"
        return {**connections, **self.environment}


def requirements() -> dict[str, str]:
    """What Composer installs: the rest of each requirement by its package, as `describe` shows them."""
    lines = [line.strip() for line in (REPO / "requirements.txt").read_text().splitlines()]
    parts = [re.fullmatch(r"([\w.-]+)\s*(.*)", line) for line in lines if line and not line.startswith("#")]
    return {part[1]: part[2] for part in parts if part}


class Cloud:
    """Runs the programs: looks at any time, changes only if this is no dry run.

    Args:
        project: the Google Cloud project.
        dry_run: whether commands that change something are only printed.
        folder: a folder of this machine for the files that commands read.
    """

    def __init__(self, project: str, dry_run: bool, folder: Path) -> None:
        self.dry_run, self.folder, self.project, self.changes = dry_run, folder, project, 0
        self.kubeconfig = folder / "kubeconfig"
        self.environment = {**os.environ, "KUBECONFIG": str(self.kubeconfig), "CLOUDSDK_CORE_DISABLE_PROMPTS": "1"}

    def gcloud(self, *arguments: str) -> list[str]:
        """A gcloud command for the project."""
        return ["gcloud", *arguments, f"--project={self.project}"]

    def bq(self, *arguments: str) -> list[str]:
        """A bq command for the project."""
        return ["bq", f"--project_id={self.project}", *arguments]

    def look(self, command: Sequence[str]) -> str | None:
        """What a command that changes nothing prints; None if there is no such thing.

        Raises:
            SetupError: it failed otherwise: taken for missing, a thing that may not be seen would be made again.
        """
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return done.stdout
        said = (done.stderr + done.stdout).strip()
        if re.search(ABSENT, said, re.IGNORECASE):
            return None
        raise SetupError(f"{shlex.join(command)} failed:\n{said}")

    def see(self, command: Sequence[str]) -> Any:
        """What a command prints as JSON; None if there is no such thing."""
        text = self.look([*command, "--format=json"])
        return None if text is None else json.loads(text)

    def change(self, command: Sequence[str]) -> None:
        """Prints a command, and runs it unless this is a dry run.

        Raises:
            SetupError: it failed.
        """
        print(shlex.join(command), flush=True)
        self.changes += 1
        if (
            not self.dry_run
            and subprocess.run(command, env=self.environment, stdout=sys.stderr, check=False).returncode
        ):
            raise SetupError(f"failed: {shlex.join(command)}")

    def grant(self, kind: Sequence[str], target: str, member: str, role: str) -> None:
        """Binds a role on a resource to a member, unless it is bound; `kind` is the resource's group of commands."""
        policy = self.see(self.gcloud(*kind, "get-iam-policy", target)) or {}
        for binding in policy.get("bindings", []):
            if binding["role"] == role and member in binding["members"] and not binding.get("condition"):
                return
        # The new policy, which is printed otherwise, is of no use here.
        options = [f"--member={member}", f"--role={role}", "--condition=None", "--format=none"]
        self.change(self.gcloud(*kind, "add-iam-policy-binding", target, *options))

    def write(self, name: str, content: str) -> Path:
        """Writes a file that commands read."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / name
        path.write_text(content)
        return path

    def permissions_missing(self, wanted: Iterable[str]) -> list[str]:
        """The permissions of the project that the caller lacks.

        No gcloud command asks this (https://cloud.google.com/resource-manager/reference/rest/v1/projects/testIamPermissions).
        The token goes from gcloud into a header, and into no argument.
        """
        token = (self.look(["gcloud", "auth", "print-access-token"]) or "").strip()
        # gcloud's own variable for another address of the service.
        base = os.environ.get(
            "CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDRESOURCEMANAGER", "https://cloudresourcemanager.googleapis.com/"
        )
        wanted = list(wanted)
        request = urllib.request.Request(  # noqa: S310  the address is https, or the caller's own
            f"{base}v1/projects/{self.project}:testIamPermissions",
            data=json.dumps({"permissions": wanted}).encode(),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
                held = json.load(response).get("permissions", [])
        except urllib.error.HTTPError as error:
            raise SetupError(f"the permissions on project {self.project} can't be asked for: {error}") from None
        except OSError as error:
            raise SetupError(f"{base} can't be reached: {error}") from None
        return [permission for permission in wanted if permission not in held]


def described_bucket(cloud: Cloud, name: str) -> Any:
    """A bucket, None if there is none."""
    return cloud.see(cloud.gcloud("storage", "buckets", "describe", f"gs://{name}"))


def described_dataset(cloud: Cloud, name: str) -> Any:
    """A dataset, None if there is none."""
    text = cloud.look(cloud.bq("--format=json", "show", "--dataset", f"{cloud.project}:{name}"))
    return None if text is None else json.loads(text)


def described_cluster(cloud: Cloud, wanted: Wanted) -> Any:
    """The cluster of one's own, None if there is none."""
    return cloud.see(cloud.gcloud("container", "clusters", "describe", wanted.cluster, f"--location={wanted.location}"))


def described_composer(cloud: Cloud, wanted: Wanted) -> Any:
    """The Composer environment, None if there is none."""
    return cloud.see(cloud.gcloud("composer", "environments", "describe", wanted.name, f"--location={wanted.location}"))


def problems(cloud: Cloud, wanted: Wanted) -> list[str]:
    """What stands in the way, a line each, found by looking alone."""
    programs = ["gcloud", "bq", *(["kubectl", "gke-gcloud-auth-plugin"] if wanted.gke else [])]
    missing = [program for program in programs if not shutil.which(program)]
    if missing:
        return [f"{name} is missing: install it (https://cloud.google.com/sdk/docs/install)" for name in missing]
    if cloud.see(["gcloud", "projects", "describe", wanted.project]) is None:
        return [f"project {wanted.project} is not there, or not yours to see"]
    found = check(wanted.variables)
    needed = (*PERMISSIONS, *(GKE_PERMISSIONS if wanted.gke else ()))
    found += [
        f"you lack the permission {permission} on project {wanted.project}: ask its administrators"
        for permission in cloud.permissions_missing(needed)
    ]
    if found:
        return found
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
    return found + composer_problems(cloud, wanted) + (cluster_problems(cloud, wanted) if wanted.gke else [])


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


def cluster_problems(cloud: Cloud, wanted: Wanted) -> list[str]:
    """What a cluster of that name lacks."""
    cluster = described_cluster(cloud, wanted)
    pool = f"{wanted.project}.svc.id.goog"
    if cluster is None or cluster.get("workloadIdentityConfig", {}).get("workloadPool") == pool:
        return []
    return [
        f"cluster {wanted.cluster} has no Workload Identity: gcloud container clusters update --workload-pool={pool}"
    ]


def enable_services(cloud: Cloud, wanted: Wanted) -> None:
    """The services that are used."""
    names = [f"{name}.googleapis.com" for name in (*SERVICES, *(("compute", "container") if wanted.gke else ()))]
    listed = cloud.see(cloud.gcloud("services", "list", "--enabled")) or []
    enabled = {service["config"]["name"] for service in listed}
    if missing := [name for name in names if name not in enabled]:
        cloud.change(cloud.gcloud("services", "enable", *missing))


def make_accounts(cloud: Cloud, wanted: Wanted) -> None:
    """The service accounts. Long before they are given roles: a new one is not known everywhere at once."""
    titles = {"composer": "Airflow of stellar-etl"}
    if wanted.gke:
        titles |= {"pods": "Export pods of stellar-etl", "nodes": "Nodes of stellar-etl"}
    for what, title in titles.items():
        if cloud.see(cloud.gcloud("iam", "service-accounts", "describe", wanted.account(what))) is None:
            name = f"{wanted.name}-{what}"
            cloud.change(cloud.gcloud("iam", "service-accounts", "create", name, f"--display-name={title}"))


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


def grant_roles(cloud: Cloud, wanted: Wanted) -> None:
    """What each account may do, and no more: roles on buckets and datasets where there are such."""
    composer = f"serviceAccount:{wanted.account('composer')}"
    project_roles = {"composer": ["roles/composer.worker", "roles/bigquery.jobUser"]}
    if wanted.gke:
        project_roles["composer"].append("roles/container.clusterViewer")
        project_roles["nodes"] = ["roles/container.defaultNodeServiceAccount"]
    for what, roles in project_roles.items():
        for role in roles:
            cloud.grant(["projects"], wanted.project, f"serviceAccount:{wanted.account(what)}", role)
    buckets = ["storage", "buckets"]
    for name in (wanted.export_bucket, wanted.airflow_bucket):
        cloud.grant(buckets, f"gs://{name}", composer, "roles/storage.objectUser")
    # Composer 3 runs pods as the environment's own account.
    pods = f"serviceAccount:{wanted.account('pods')}" if wanted.gke else composer
    if wanted.gke:
        cloud.grant(buckets, f"gs://{wanted.export_bucket}", pods, "roles/storage.objectCreator")
    if wanted.lake.startswith("gs://"):
        lake = wanted.lake.removeprefix("gs://").split("/")[0]
        if lake in [bucket["name"] for bucket in cloud.see(cloud.gcloud("storage", "buckets", "list")) or []]:
            cloud.grant(buckets, f"gs://{lake}", pods, "roles/storage.objectViewer")
        else:
            print(f"# gs://{lake} is not of this project: its owner lets {pods} read it")
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


def make_cluster(cloud: Cloud, wanted: Wanted) -> None:
    """A network, a cluster in it and the pool of nodes that the shipped affinity names; empty, the pool costs nothing.

    The pool's taint keeps it for the pods, whose toleration for it is among the Variables.
    """
    network = [f"--network={wanted.network}"]
    region = f"--region={wanted.location}"
    if cloud.see(cloud.gcloud("compute", "networks", "describe", wanted.network)) is None:
        cloud.change(cloud.gcloud("compute", "networks", "create", wanted.network, "--subnet-mode=custom"))
    subnets = ["compute", "networks", "subnets"]
    if cloud.see(cloud.gcloud(*subnets, "describe", wanted.network, region)) is None:
        options = ["--range=10.10.0.0/20", "--enable-private-ip-google-access"]
        cloud.change(cloud.gcloud(*subnets, "create", wanted.network, *network, region, *options))
    place = f"--location={wanted.location}"
    nodes = f"--service-account={wanted.account('nodes')}"
    if described_cluster(cloud, wanted) is None:
        options = [
            *(*network, f"--subnetwork={wanted.network}", nodes, f"--workload-pool={wanted.project}.svc.id.goog"),
            *("--enable-ip-alias", "--release-channel=regular", "--machine-type=e2-medium", "--num-nodes=1"),
        ]
        cloud.change(cloud.gcloud("container", "clusters", "create", wanted.cluster, place, *options))
    pool = ["container", "node-pools"]
    cluster = f"--cluster={wanted.cluster}"
    if cloud.see(cloud.gcloud(*pool, "describe", NODE_POOL, cluster, place)) is None:
        options = [
            *(f"--machine-type={wanted.machine_type}", "--num-nodes=0", "--enable-autoscaling"),
            *("--total-min-nodes=0", f"--total-max-nodes={wanted.max_nodes}", nodes),
            *("--node-labels=app=stellar-etl", f"--node-taints={TAINT[0]}={TAINT[1]}:{TAINT[2]}"),
            "--workload-metadata=GKE_METADATA",
        ]
        cloud.change(cloud.gcloud(*pool, "create", NODE_POOL, cluster, place, *options))


def make_namespace(cloud: Cloud, wanted: Wanted) -> None:
    """The pods' namespace, their Kubernetes account bound to the Google one, and the workers' role there."""
    credentials = ["container", "clusters", "get-credentials", wanted.cluster, f"--location={wanted.location}"]
    print(f"export KUBECONFIG={shlex.quote(str(cloud.kubeconfig))}")
    print(shlex.join(cloud.gcloud(*credentials)), flush=True)
    is_there = described_cluster(cloud, wanted) is not None
    if is_there:
        cloud.folder.mkdir(parents=True, exist_ok=True)
        cloud.kubeconfig.unlink(missing_ok=True)
        cloud.look(cloud.gcloud(*credentials))

    def get(*what: str) -> Any:
        text = cloud.look(["kubectl", "get", *what, "--ignore-not-found", "--output=json"]) if is_there else None
        return json.loads(text) if text and text.strip() else None

    inside = f"--namespace={wanted.namespace}"
    if get("namespace", wanted.namespace) is None:
        cloud.change(["kubectl", "create", "namespace", wanted.namespace])
    account = get("serviceaccount", ROLE, inside)
    if account is None:
        cloud.change(["kubectl", "create", "serviceaccount", ROLE, inside])
    key, email = "iam.gke.io/gcp-service-account", wanted.account("pods")
    if ((account or {}).get("metadata", {}).get("annotations") or {}).get(key) != email:
        cloud.change(["kubectl", "annotate", "serviceaccount", ROLE, inside, "--overwrite", f"{key}={email}"])
    member = f"serviceAccount:{wanted.project}.svc.id.goog[{wanted.namespace}/{ROLE}]"
    cloud.grant(["iam", "service-accounts"], email, member, "roles/iam.workloadIdentityUser")
    manifest = REPO / "scripts/pod_role.yaml"
    if (get("role", ROLE, inside) or {}).get("rules") != yaml.safe_load(manifest.read_text())["rules"]:
        cloud.change(["kubectl", "apply", inside, f"--filename={manifest.relative_to(REPO)}"])
    binding = get("rolebinding", ROLE, inside)
    if binding is None:
        user = f"--user={wanted.account('composer')}"
        cloud.change(["kubectl", "create", "rolebinding", ROLE, inside, f"--role={ROLE}", user])


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


def joined(assignments: Mapping[str, str]) -> str:
    """Assignments as gcloud takes them; a comma in a value needs another delimiter (`gcloud topic escaping`)."""
    pairs = [f"{key}={value}" for key, value in assignments.items()]
    return "^;^" + ";".join(pairs) if any("," in pair for pair in pairs) else ",".join(pairs)


def forget_imports(cloud: Cloud, wanted: Wanted) -> None:
    """Takes away the word of what was imported."""
    for name in ("variables", "pools"):
        url = f"gs://{wanted.airflow_bucket}/{IMPORTED}/{name}.json"
        if cloud.look(cloud.gcloud("storage", "cat", url)) is not None:
            cloud.change(cloud.gcloud("storage", "rm", url))


def import_into_airflow(cloud: Cloud, wanted: Wanted) -> None:
    """Variables and pools, where the files differ from what was imported last: what people change in the UI stays."""
    data = f"gs://{wanted.airflow_bucket}/data/stellar-etl"
    variables = json.dumps(wanted.variables, indent=2) + "\n"
    pools = (REPO / "airflow_pools.json").read_text()
    for name, content in (("variables", variables), ("pools", pools)):
        brought, imported = f"{data}/{name}.json", f"gs://{wanted.airflow_bucket}/{IMPORTED}/{name}.json"
        if cloud.look(cloud.gcloud("storage", "cat", imported)) == content:
            continue
        if cloud.look(cloud.gcloud("storage", "cat", brought)) != content:
            cloud.change(cloud.gcloud("storage", "cp", str(cloud.write(f"{name}.json", content)), brought))
        inside = f"/home/airflow/gcs/data/stellar-etl/{name}.json"
        run = ["gcloud", "composer", "environments", "run", wanted.name, f"--project={wanted.project}"]
        cloud.change([*run, f"--location={wanted.location}", name, "import", "--", inside])
        cloud.change(cloud.gcloud("storage", "cp", brought, imported))


def bring_kubeconfig(cloud: Cloud, wanted: Wanted) -> None:
    """The cluster's address for the workers; the file names no key, for they log in as themselves."""
    url = f"gs://{wanted.airflow_bucket}/data/stellar-etl/kubeconfig"
    here = cloud.kubeconfig.read_text() if cloud.kubeconfig.exists() else None
    if here is None or cloud.look(cloud.gcloud("storage", "cat", url)) != here:
        cloud.change(cloud.gcloud("storage", "cp", str(cloud.kubeconfig), url))


Step = tuple[str, Callable[[Cloud, Wanted], None]]


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


def matching(pattern: str, what: str) -> Callable[[str], str]:
    """A reader of names for argparse."""

    def read(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise argparse.ArgumentTypeError(f"{text!r} is no {what}")
        return text

    return read


def assignment(text: str) -> tuple[str, str]:
    """`NAME=VALUE` of the workers' environment."""
    key, equals, value = text.partition("=")
    if not equals or not re.fullmatch(r"STELLAR_ETL_[A-Z_]+", key):
        raise argparse.ArgumentTypeError(f"{text!r} is not STELLAR_ETL_…=VALUE")
    return key, value


PROJECT = matching(r"[a-z][a-z0-9-]{4,28}[a-z0-9]", "project's id")
REGION = matching(r"[a-z]+-[a-z]+[0-9]+", "region, such as us-central1")
PLACE = matching(r"|[a-z]+-[a-z]+[0-9]+|us|eu", "place for data: a region, us or eu")
NAME = matching(r"[a-z][a-z0-9-]*[a-z0-9]", "name: small letters, digits and hyphens")
SHORT_NAME = matching(r"[a-z][a-z0-9-]{0,18}[a-z0-9]", "name of 2 to 20 small letters, digits and hyphens")
BUCKET = matching(r"|[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]", "bucket's name")
DATASET = matching(r"[A-Za-z0-9_]{1,1024}", "dataset's name: letters, digits and underscores")
PUBLIC_DATASET = matching(r"[A-Za-z0-9_]{0,1024}", "dataset's name: letters, digits and underscores")


def parser() -> argparse.ArgumentParser:
    """The options; each may come from the environment too."""
    made = argparse.ArgumentParser(
        prog="scripts/bootstrap_gcp.sh",
        description="Sets up Google Cloud for the DAGs: makes what is missing, changes what differs, leaves alone what "
        "is as it shall be, and prints each command. Run it again at any time.",
        epilog="An option that is not given comes from the environment: --export-bucket from BOOTSTRAP_EXPORT_BUCKET.",
    )

    def add(option: str, text: str, default: str | None = None, **more: Any) -> None:
        given = os.environ.get("BOOTSTRAP_" + option.upper().replace("-", "_"), default)
        shown = f"{text} (default: {default})" if default else text
        made.add_argument(f"--{option}", default=given, required=given is None, help=shown, **more)

    made.add_argument("--dry-run", action="store_true", help="print the commands, and run only those that look")
    add("project", "the Google Cloud project", type=PROJECT)
    add("location", "the region of Composer, its bucket and the cluster", "us-central1", type=REGION)
    add("data-location", "where exports and datasets lie: a region, us or eu; empty: --location", "", type=PLACE)
    add("place", "where pods run: in Composer 3's own cluster, or in a GKE cluster of yours", "composer3",
        choices=["composer3", "composer2", "gke"])  # fmt: skip
    add(
        "name",
        "the Composer environment, and what the service accounts' names begin with",
        "stellar-etl",
        type=SHORT_NAME,
    )
    add("image-version", "Composer's image", "composer-3-airflow-3")
    add("export-bucket", "the bucket that pods write to; empty: PROJECT-NAME-exports", "", type=BUCKET)
    add("airflow-bucket", "Composer's bucket; empty: PROJECT-NAME-airflow", "", type=BUCKET)
    add("dataset", "the dataset that tables are published in", "stellar", type=DATASET)
    add("public-dataset", "a second dataset that they are published in; empty: none", "", type=PUBLIC_DATASET)
    add("stellar-network", "whose ledgers", "pubnet", choices=sorted(PASSPHRASES))
    add("lake", "the lake of ledgers, gs://… or https://…; empty: the public network's", "")
    add("image", "the exporter's image; empty: that of airflow_variables.json", "")
    add("namespace", "gke: the pods' namespace", "stellar-etl", type=NAME)
    add("network", "gke: the VPC network, and its subnetwork", "stellar-etl", type=NAME)
    add("cluster", "gke: the cluster", "stellar-etl", type=NAME)
    add("machine-type", f"gke: the machines of the node pool {NODE_POOL}", "e2-standard-4", type=NAME)
    add("max-nodes", "gke: how many of them at most", "4", type=int)
    add("folder", "where files that the commands read are kept; empty: .gcp/NAME", "", metavar="FOLDER")
    add("variables", "a file of Airflow Variables of your own, which win over all others", "", metavar="FILE")
    made.add_argument("--env", action="append", default=[], type=assignment, metavar="STELLAR_ETL_…=VALUE",
        help="a variable of the workers' environment, such as STELLAR_ETL_SCHEDULE; may be repeated")  # fmt: skip
    return made


def wanted_of(options: argparse.Namespace) -> Wanted:
    """What the options ask for.

    Raises:
        SetupError: they don't go together.
    """
    if options.place == "composer2":
        # https://cloud.google.com/composer/docs/composer-versioning-overview
        raise SetupError("--place composer2: Composer 2 has Airflow 2 alone, and the DAGs need 3: composer3, or gke")
    if options.stellar_network != "pubnet" and not options.lake:
        raise SetupError(f"--stellar-network {options.stellar_network} needs --lake: only pubnet has a public one")
    own = read_variables(Path(options.variables)) if options.variables else {}
    prefix = f"{options.project}-{options.name}"
    given = vars(options) | {
        "data_location": options.data_location or options.location,
        "export_bucket": options.export_bucket or f"{prefix}-exports",
        "airflow_bucket": options.airflow_bucket or f"{prefix}-airflow",
        "lake": options.lake or PUBLIC_LAKE,
        "image": options.image or read_variables(SHIPPED)["image_name"],
        "environment": dict(options.env),
        "own_variables": own,
    }
    return Wanted(**{field.name: given[field.name] for field in fields(Wanted)})


def main() -> int:
    """Exit status 0, or 1 with what is wrong on stderr."""
    options = parser().parse_args()
    os.chdir(REPO)
    os.umask(0o077)  # one's own Variables may hold a secret
    try:
        wanted = wanted_of(options)
        folder = Path(options.folder or f".gcp/{wanted.name}")
        run(Cloud(wanted.project, options.dry_run, folder), wanted)
    except (SettingsError, SetupError) as error:
        print(f"bootstrap_gcp.sh: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
