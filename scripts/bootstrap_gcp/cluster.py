"""A separate GKE cluster for the pods: network, nodes, namespace, and Airflow's access to it."""

from __future__ import annotations

import json
import shlex
from typing import Any

import yaml

from scripts.bootstrap_gcp.cloud import Cloud
from scripts.bootstrap_gcp.wanted import NODE_POOL, REPO, ROLE, TAINT, Wanted


def described_cluster(cloud: Cloud, wanted: Wanted) -> Any:
    """Return the GKE cluster, None if it does not exist."""
    return cloud.see(cloud.gcloud("container", "clusters", "describe", wanted.cluster, f"--location={wanted.location}"))


def cluster_problems(cloud: Cloud, wanted: Wanted) -> list[str]:
    """Return the problems of an existing cluster of that name."""
    cluster = described_cluster(cloud, wanted)
    pool = f"{wanted.project}.svc.id.goog"
    if cluster is None or cluster.get("workloadIdentityConfig", {}).get("workloadPool") == pool:
        return []
    return [
        f"cluster {wanted.cluster} has no Workload Identity: gcloud container clusters update --workload-pool={pool}"
    ]


def make_cluster(cloud: Cloud, wanted: Wanted) -> None:
    """Create a network, a cluster in it and the node pool of the shipped affinity; an empty pool costs nothing.

    The pool's taint reserves it for the pods, which tolerate it by a Variable.
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
    described = cloud.see(cloud.gcloud(*pool, "describe", NODE_POOL, cluster, place))
    if described is None:
        max_nodes = wanted.max_nodes or wanted.sized.max_nodes
        options = [
            *(f"--machine-type={wanted.machine_type}", "--num-nodes=0", "--enable-autoscaling"),
            *("--total-min-nodes=0", f"--total-max-nodes={max_nodes}", nodes),
            *("--node-labels=app=stellar-etl", f"--node-taints={TAINT[0]}={TAINT[1]}:{TAINT[2]}"),
            "--workload-metadata=GKE_METADATA",
        ]
        cloud.change(cloud.gcloud(*pool, "create", NODE_POOL, cluster, place, *options))
    elif wanted.max_nodes and described.get("autoscaling", {}).get("totalMaxNodeCount") != wanted.max_nodes:
        limits = ["--enable-autoscaling", "--total-min-nodes=0", f"--total-max-nodes={wanted.max_nodes}"]
        cloud.change(cloud.gcloud(*pool, "update", NODE_POOL, cluster, place, *limits))


def make_namespace(cloud: Cloud, wanted: Wanted) -> None:
    """Create the pods' namespace, their Kubernetes account bound to the Google one, and the workers' role there."""
    credentials = ["container", "clusters", "get-credentials", wanted.cluster, f"--location={wanted.location}"]
    print(f"export KUBECONFIG={shlex.quote(str(cloud.kubeconfig))}")
    print(shlex.join(cloud.gcloud(*credentials)), flush=True)
    is_there = described_cluster(cloud, wanted) is not None
    if is_there:
        cloud.folder.mkdir(parents=True, exist_ok=True)
        cloud.kubeconfig.unlink(missing_ok=True)
        cloud.read(cloud.gcloud(*credentials))

    def get(*what: str) -> Any:
        text = cloud.read(["kubectl", "get", *what, "--ignore-not-found", "--output=json"]) if is_there else None
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


def kubeconfig(cloud: Cloud) -> str:
    """Return a kubeconfig of the cluster as JSON: an address, a certificate and the name of a program, without a key.

    In a dry run before the cluster exists, return a placeholder.
    """
    if not cloud.kubeconfig.exists():
        return "the kubeconfig, once the cluster exists"
    return json.dumps(yaml.safe_load(cloud.kubeconfig.read_text()), sort_keys=True)
