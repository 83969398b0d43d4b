"""scripts/bootstrap_gcp.sh on a simulated cloud: it plans first, creates missing resources, and can be interrupted."""

from __future__ import annotations

import importlib
import json
import os
import re
import shlex
import shutil
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import grpc
import pytest
from airflow.models.connection import Connection
from airflow.providers.google.cloud._internal_client.secret_manager_client import _SecretManagerClient
from google.cloud.secretmanager_v1 import SecretManagerServiceClient, types
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import SecretManagerServiceGrpcTransport

from stellar_etl.cli.options import PUBLIC_LAKE
from stellar_etl_airflow.bigquery.tables import NETWORK_LABEL, network_hash
from stellar_etl_airflow.model.deployment import DEPLOYMENT_LABEL
from stellar_etl_airflow.settings.checks import check
from tests import forked_programs, gcloud
from tests.scripts.cloud import execute
from tests.scripts.programs import Call, Programs, serving
from tests.shared import REPO

PROJECT = "my-project"
PLACES = ("composer3", "gke")
ONE_BY_DEFAULT = ("composer3", pytest.param("gke", marks=pytest.mark.slow))
PROGRAMS = ("gcloud", "bq", "kubectl", "gke-gcloud-auth-plugin")


class Permissions(BaseHTTPRequestHandler):
    """Cloud Resource Manager: it grants all requested permissions except those in `lacking`."""

    lacking: frozenset[str] = frozenset()

    def do_POST(self):
        assert self.headers["Authorization"] == "Bearer a-secret-token"
        wanted = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["permissions"]
        answer = json.dumps({"permissions": [name for name in wanted if name not in self.lacking]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def resource_manager():
    with HTTPServer(("127.0.0.1", 0), Permissions) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def programs():
    with serving() as server:
        yield server


class Cloud:
    """A simulated cloud, and the real script that uses it.

    The script's Python program is forked from one with its imports; `in_shell` runs the whole script.
    """

    def __init__(self, folder: Path, url: str, programs: Programs) -> None:
        self.file, self.noted, self.bin = folder / "cloud.json", folder / "changes", folder / "bin"
        self.url, self.folder = url, folder
        self.in_shell = False
        self.environment, self.started = {}, []
        programs.answer = self.answer
        self.bin.mkdir()
        for program in PROGRAMS:
            programs.write(self.bin, program)
        for program in ("bash", "sh", "dirname", "cat", "sha256sum", "cut", "head"):
            (self.bin / program).symlink_to(shutil.which(program))
        self.reset()

    def answer(self, call: Call) -> str:
        self.started.append((call.program, *call.arguments))
        return execute(self.file, self.noted, self.environment, call)

    def reset(self) -> None:
        self.file.write_text(json.dumps({"projects": {PROJECT: {}}}))

    def state(self) -> dict:
        return json.loads(self.file.read_text())

    def add(self, kind: str, name: str, value: dict) -> None:
        state = self.state()
        state.setdefault(kind, {})[name] = value
        self.file.write_text(json.dumps(state))

    def run(
        self, place: str = "composer3", *arguments: str, standard_input: str | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        self.noted.write_text("")
        self.environment, self.started = environment, []
        # The script's files are below the name of the environment, in the checkout.
        words = ["--project", PROJECT, "--place", place, "--folder", str(self.folder / "made"), *arguments]
        env = {
            "PATH": str(self.bin),
            "CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDRESOURCEMANAGER": self.url,
            **environment,
        }
        if self.in_shell:
            command = ["bash", str(REPO / "scripts/bootstrap_gcp.sh"), *words]
            return subprocess.run(command, env=env, input=standard_input, capture_output=True, text=True, check=False)
        return forked_programs.run("bootstrap_gcp", words, env=env, standard_input=standard_input or "")

    def changes(self) -> list[list[str]]:
        return [json.loads(line) for line in self.noted.read_text().splitlines()]


@pytest.fixture
def cloud(tmp_path, resource_manager, programs, monkeypatch):
    monkeypatch.setattr(Permissions, "lacking", frozenset())
    return Cloud(tmp_path, resource_manager, programs)


def commands(output: str) -> list[list[str]]:
    """Return the commands that the script printed, as a shell reads them, except those for this machine only."""
    lines = [shlex.split(line) for line in output.splitlines() if line and not line.startswith("#")]
    return [line for line in lines if line[0] != "export" and "get-credentials" not in line]


@pytest.mark.parametrize("place", ONE_BY_DEFAULT)
def test_a_first_run_creates_everything_and_a_second_changes_nothing(cloud, place):
    cloud.in_shell = True
    planned = cloud.run(place, "--dry-run")
    assert planned.returncode == 0, planned.stderr
    assert cloud.changes() == []
    assert cloud.state() == {"projects": {PROJECT: {}}}

    first = cloud.run(place)
    assert first.returncode == 0, first.stderr
    assert cloud.changes() == commands(first.stdout) == commands(planned.stdout)
    made = cloud.state()

    second = cloud.run(place)
    assert second.returncode == 0, second.stderr
    assert cloud.changes() == commands(second.stdout) == []
    assert cloud.state() == made
    assert len(cloud.started) == len(set(cloud.started)), "a run without changes reads each resource once"


def roles(state: dict, what: str) -> set[tuple[str, str, str]]:
    """Return the roles of one of the accounts, by resource."""
    member = f"serviceAccount:stellar-etl-{what}@{PROJECT}.iam.gserviceaccount.com"
    return {
        (kind, name, binding["role"])
        for kind in ("projects", "buckets", "accounts")
        for name, resource in state.get(kind, {}).items()
        for binding in resource.get("bindings", [])
        if member in binding["members"]
    }


def test_each_account_has_the_roles_that_it_needs_and_no_more(cloud):
    assert cloud.run("gke").returncode == 0
    state = cloud.state()
    exports, airflow = f"gs://{PROJECT}-stellar-etl-exports", f"gs://{PROJECT}-stellar-etl-airflow"
    assert roles(state, "pods") == {("buckets", exports, "roles/storage.objectCreator")}
    assert roles(state, "composer") == {
        ("projects", PROJECT, "roles/bigquery.jobUser"),
        ("projects", PROJECT, "roles/bigquery.resourceViewer"),
        ("projects", PROJECT, "roles/composer.worker"),
        ("projects", PROJECT, "roles/container.clusterViewer"),
        ("buckets", exports, "roles/storage.legacyBucketReader"),
        ("buckets", exports, "roles/storage.objectUser"),
        ("buckets", airflow, "roles/storage.objectUser"),
    }
    assert roles(state, "nodes") == {("projects", PROJECT, "roles/container.defaultNodeServiceAccount")}
    composer = f"stellar-etl-composer@{PROJECT}.iam.gserviceaccount.com"
    assert state["datasets"][f"{PROJECT}:stellar"]["access"] == [{"role": "WRITER", "userByEmail": composer}]
    pods = f"stellar-etl-pods@{PROJECT}.iam.gserviceaccount.com"
    (binding,) = state["accounts"][pods]["bindings"]
    member = f"serviceAccount:{PROJECT}.svc.id.goog[stellar-etl/stellar-etl]"
    assert binding == {"role": "roles/iam.workloadIdentityUser", "members": [member]}
    account = state["serviceaccounts"]["stellar-etl/stellar-etl"]
    assert account["metadata"]["annotations"] == {"iam.gke.io/gcp-service-account": pods}
    assert state["rolebindings"] == {"stellar-etl/stellar-etl": {"role": "stellar-etl", "user": composer}}


@pytest.mark.parametrize("place", ONE_BY_DEFAULT)
def test_no_broad_role_and_no_key_is_ever_created(cloud, place):
    printed = cloud.run(place, "--dry-run").stdout
    assert "--role=roles/" in printed
    assert not re.search(r"roles/(owner|editor|viewer)\b|\.admin\b|Admin\b|cluster-admin|keys create|secret", printed)
    assert "cluster-admin" not in (REPO / "scripts/pod_role.yaml").read_text()


@pytest.mark.parametrize("place", ONE_BY_DEFAULT)
def test_airflow_receives_variables_pools_connections_and_packages(cloud, place):
    mine = cloud.folder / "mine.json"
    mine.write_text(json.dumps({"coverage_days": 3, "sentry_dsn": "https://planted-secret@sentry.example/1"}))
    done = cloud.run(place, "--variables", str(mine), "--env", "STELLAR_ETL_SCHEDULE=0,30 * * * *")
    assert done.returncode == 0, done.stderr
    assert "planted-secret" not in done.stdout + done.stderr + json.dumps(cloud.changes())
    composer = cloud.state()["composer"]["stellar-etl"]
    variables = composer["variables"]
    assert check(variables) == []
    assert (variables["coverage_days"], variables["bq_project"]) == (3, PROJECT)
    assert variables["gcs_exported_data_bucket_name"] == f"{PROJECT}-stellar-etl-exports"
    expected = {
        "composer3": ("composer3", "composer-user-workloads", ""),
        "gke": ("gke", "stellar-etl", "stellar-etl"),
    }
    keys = ("pod_place", "namespace", "k8s_service_account")
    assert tuple(variables[key] for key in keys) == expected[place]
    assert bool(variables["affinity"]) == (place == "gke")
    assert composer["pools"] == json.loads((REPO / "airflow_pools.json").read_text())
    software = composer["config"]["softwareConfig"]
    assert "sentry-sdk" in software["pypiPackages"]
    environment = software["envVariables"]
    assert environment["STELLAR_ETL_SCHEDULE"] == "0,30 * * * *"
    google = Connection(uri=environment["AIRFLOW_CONN_GOOGLE_CLOUD_PLATFORM_CONNECTION"])
    assert (google.conn_type, google.extra_dejson) == ("google_cloud_platform", {"project": PROJECT})
    if place == "gke":
        kubernetes = Connection(uri=environment["AIRFLOW_CONN_KUBERNETES_DEFAULT"])
        # In the connection itself, because the triggerer has no files of data/.
        assert kubernetes.extra_dejson == {"kube_config": {"cluster": "stellar-etl"}}
        assert "data/stellar-etl/kubeconfig" not in done.stdout
        (affinity,) = variables["affinity"]["nodeAffinity"].values()
        (expression,) = affinity["nodeSelectorTerms"][0]["matchExpressions"]
        assert expression["values"] == list(cloud.state()["pools"])
        (borne,) = variables["tolerations"]
        create = next(change for change in cloud.changes() if "node-pools" in change)
        assert f"--node-taints={borne['key']}={borne['value']}:{borne['effect']}" in create


def test_only_differences_are_changed(cloud):
    assert cloud.run("gke").returncode == 0
    done = cloud.run("gke", "--env", "STELLAR_ETL_CATCHUP=false", "--public-dataset", "open")
    assert done.returncode == 0, done.stderr
    what = [" ".join([word for word in change if not word.startswith("--")][:4]) for change in cloud.changes()]
    composer = f"serviceAccount:stellar-etl-composer@{PROJECT}.iam.gserviceaccount.com"
    grant = f'GRANT `roles/bigquery.dataEditor` ON SCHEMA `{PROJECT}`.`open` TO "{composer}"'
    assert what == [
        f"bq mk {PROJECT}:open",
        f"bq update {PROJECT}:open",
        f"bq query {grant}",
        "gcloud composer environments update",
        f"gcloud storage cp {cloud.folder}/made/variables.json",
        "gcloud composer environments run",
        f"gcloud storage cp {cloud.folder}/made/changed_variables.json",
        "gcloud composer environments run",
        f"gcloud storage cp {cloud.folder}/made/imported_variables.json",
    ]
    assert cloud.state()["composer"]["stellar-etl"]["variables"]["public_dataset"] == "open"
    assert any("--update-env-variables=STELLAR_ETL_CATCHUP=false" in change for change in cloud.changes())


def change_in_airflow(cloud, **values):
    """Change Airflow as users do in the UI, and as a deployment does by an import."""
    state = cloud.state()
    state["composer"]["stellar-etl"]["variables"] |= values
    state["composer"]["stellar-etl"]["pools"]["export"]["slots"] = 3
    cloud.file.write_text(json.dumps(state))


def test_a_second_run_keeps_changes_by_deployments_and_users(cloud):
    assert cloud.run().returncode == 0
    deployed = {"image_name": "a-registry/stellar-etl@sha256:1", "coverage_days": 30}
    change_in_airflow(cloud, **deployed)
    # As after a checkout with another image, other Variables and one more pool.
    state = cloud.state()
    folder = f"gs://{PROJECT}-stellar-etl-airflow/data/stellar-etl/imported"
    older = {key: json.loads(state["objects"][f"{folder}/{key}.json"]) for key in ("variables", "pools")}
    older["variables"] |= {"image_name": "an-older-image", "coverage_days": 5}
    del older["variables"]["price_per_tib"], older["pools"]["write_ttl"]
    for key, value in older.items():
        state["objects"][f"{folder}/{key}.json"] = json.dumps(value)
    del state["composer"]["stellar-etl"]["variables"]["price_per_tib"]
    del state["composer"]["stellar-etl"]["pools"]["write_ttl"]
    cloud.file.write_text(json.dumps(state))

    assert cloud.run().returncode == 0
    composer = cloud.state()["composer"]["stellar-etl"]
    assert {key: composer["variables"][key] for key in deployed} == deployed
    assert composer["variables"]["price_per_tib"] == 6.25
    assert (composer["pools"]["export"]["slots"], composer["pools"]["write_ttl"]["slots"]) == (3, 1)

    cloud.add("images", IMAGE, {})
    cloud.add("registries", "us-central1/images", {})
    assert cloud.run("composer3", "--image", IMAGE).returncode == 0
    assert cloud.state()["composer"]["stellar-etl"]["variables"]["image_name"] == IMAGE


IMAGE = f"us-central1-docker.pkg.dev/{PROJECT}/images/stellar-etl:7"


def test_the_image_is_built_once_in_a_registry_of_the_project_and_pods_may_pull_it(cloud):
    assert cloud.run("gke").returncode == 0
    state = cloud.state()
    (image,) = state["images"]
    assert re.fullmatch(rf"us-central1-docker\.pkg\.dev/{PROJECT}/stellar-etl/stellar-etl:[\d.]+-[0-9a-f]{{12}}", image)
    assert state["composer"]["stellar-etl"]["variables"]["image_name"] == image
    (binding,) = state["registries"]["us-central1/stellar-etl"]["bindings"]
    nodes = f"serviceAccount:stellar-etl-nodes@{PROJECT}.iam.gserviceaccount.com"
    assert binding == {"role": "roles/artifactregistry.reader", "members": [nodes]}
    assert roles(state, "build") == {("projects", PROJECT, "roles/cloudbuild.builds.builder")}


def test_a_named_image_is_not_built_and_must_exist(cloud):
    done = cloud.run("composer3", "--image", IMAGE)
    assert (done.returncode, cloud.changes()) == (1, [])
    assert f"image {IMAGE} does not exist" in done.stderr
    cloud.add("images", IMAGE, {})
    cloud.add("registries", "us-central1/images", {})
    assert cloud.run("composer3", "--image", IMAGE).returncode == 0
    assert builds(cloud) == [["submit", "--no-source"]]
    elsewhere = cloud.run("composer3", "--image", "docker.io/someone/stellar-etl:1")
    assert elsewhere.returncode == 0
    assert "the nodes' permission to pull it is not checked" in elsewhere.stdout


def builds(cloud) -> list[list[str]]:
    """Return the requests to Cloud Build in the last run."""
    return [change[2:4] for change in cloud.changes() if change[1] == "builds"]


def test_an_image_with_another_version_is_neither_pushed_nor_used(cloud):
    older = {"ANSWER": "stellar-etl 0.0.9"}
    done = cloud.run("composer3", **older)
    assert done.returncode == 1
    assert 'answers "stellar-etl 0.0.9", and this checkout expects "stellar-etl 0.1.0"' in done.stderr
    assert "images" not in cloud.state()
    cloud.add("images", IMAGE, {"image_summary": {"digest": "sha256:1"}})
    cloud.add("registries", "us-central1/images", {})
    named = cloud.run("composer3", "--image", IMAGE, **older)
    assert named.returncode == 1
    assert f'image {IMAGE} answers "stellar-etl 0.0.9", and this checkout expects "stellar-etl 0.1.0"' in named.stderr
    assert "composer" not in cloud.state()


@pytest.mark.slow
def test_a_named_image_is_verified_once_and_again_after_a_change(cloud, tmp_path):
    cloud.add("images", IMAGE, {"image_summary": {"digest": "sha256:1"}})
    cloud.add("registries", "us-central1/images", {})
    for digest, expected in (("sha256:1", [["submit", "--no-source"]]), ("sha256:1", []), ("sha256:2", None)):
        cloud.add("images", IMAGE, {"image_summary": {"digest": digest}})
        assert cloud.run("composer3", "--image", IMAGE).returncode == 0
        assert builds(cloud) == ([["submit", "--no-source"]] if expected is None else expected)
    own = tmp_path / "own.json"
    own.write_text('{"manifest": "derived"}')
    done = cloud.run("composer3", "--image", IMAGE, "--variables", str(own), ANSWER="another exporter")
    assert done.returncode == 0, done.stderr
    assert f"image {IMAGE} answers: another exporter" in done.stderr


def environment_of(cloud) -> dict:
    """Return the Composer environment."""
    return cloud.state()["composer"]["stellar-etl"]["config"]


def test_a_new_environment_starts_paused_today_with_deferrable_tasks(cloud):
    assert cloud.run().returncode == 0
    software = environment_of(cloud)["softwareConfig"]
    today = {f"{datetime.now(UTC) - timedelta(minutes=minutes):%Y-%m-%dT00:00:00Z}" for minutes in (0, 5)}
    assert software["envVariables"]["STELLAR_ETL_START_DATE"] in today
    assert software["airflowConfigOverrides"]["core-dags_are_paused_at_creation"] == "True"
    assert software["airflowConfigOverrides"]["operators-default_deferrable"] == "True"
    assert environment_of(cloud)["workloadsConfig"]["triggerer"]["count"] == 2
    state = cloud.state()
    variables = state["composer"]["stellar-etl"]["config"]["softwareConfig"]["envVariables"]
    variables["STELLAR_ETL_START_DATE"] = "2026-02-03T00:00:00Z"
    cloud.file.write_text(json.dumps(state))
    assert cloud.run().returncode == 0
    assert cloud.changes() == [], "a later run keeps the start date"
    assert cloud.run("composer3", "--start-date", "2026-01-01T01:00:00+01:00").returncode == 0
    variables = environment_of(cloud)["softwareConfig"]["envVariables"]
    assert variables["STELLAR_ETL_START_DATE"] == "2026-01-01T00:00:00Z"


@pytest.mark.slow
def test_limits_of_scaling_change_only_if_they_are_set(cloud):
    assert cloud.run("gke", "--size", "1").returncode == 0
    assert environment_of(cloud)["workloadsConfig"]["worker"] == {"minCount": 1, "maxCount": 3}
    assert cloud.run("gke", "--size", "20").returncode == 0
    assert cloud.changes() == []
    assert cloud.run("gke", "--max-workers", "9", "--max-nodes", "12").returncode == 0
    assert environment_of(cloud)["workloadsConfig"]["worker"] == {"minCount": 1, "maxCount": 9}
    assert cloud.state()["pools"]["etl-pool"]["autoscaling"] == {"totalMaxNodeCount": 12}
    assert cloud.run("gke", "--max-workers", "9", "--max-nodes", "12").returncode == 0
    assert cloud.changes() == []


def test_stored_data_has_a_retention_period(cloud):
    assert cloud.run().returncode == 0
    buckets = {name.rpartition("-")[2]: bucket["lifecycle_config"] for name, bucket in cloud.state()["buckets"].items()}
    delete = {"type": "Delete"}
    assert buckets == {
        "exports": {"rule": [{"action": delete, "condition": {"age": 30}}]},
        "airflow": {"rule": [{"action": delete, "condition": {"age": 60, "matchesPrefix": ["logs/"]}}]},
    }
    assert environment_of(cloud)["dataRetentionConfig"]["airflowMetadataRetentionConfig"]["retentionDays"] == 60
    assert cloud.run("composer3", "--export-days", "7", "--database-days", "90").returncode == 0
    assert [change[:4] for change in cloud.changes()][:2] == [
        ["gcloud", "storage", "buckets", "update"],
        ["gcloud", "composer", "environments", "update"],
    ]
    assert cloud.state()["composer"]["stellar-etl"]["variables"]["export_days"] == 7
    assert cloud.run("composer3", "--export-days", "7", "--database-days", "90").returncode == 0
    assert cloud.changes() == []


SECRETS = {
    "variables": {"sentry_dsn": "https://planted@sentry.example/1", "pod_secrets": {"A": {"secret": "s", "key": "k"}}},
    "connections": {"slack_default": "slack://:planted@"},
}


def test_secrets_are_passed_by_standard_input_to_secret_manager(cloud, secret_manager):
    file = cloud.folder / "secrets.json"
    file.write_text(json.dumps(SECRETS))
    options = ("composer3", "--secrets-backend", "secret-manager", "--secrets", str(file))
    done = cloud.run(*options)
    assert done.returncode == 0, done.stderr
    written = [path.read_text() for path in (cloud.folder / "made").iterdir()]
    assert "planted" not in "".join([done.stdout, done.stderr, json.dumps(cloud.changes()), *written])
    assert ("projects", PROJECT, "roles/secretmanager.secretAccessor") in roles(cloud.state(), "composer")
    assert cloud.run(*options).returncode == 0
    assert cloud.changes() == []

    # Airflow's own backend, with the environment's configuration, finds them.
    overrides = environment_of(cloud)["softwareConfig"]["airflowConfigOverrides"]
    backend = secret_manager(overrides, cloud.state()["secrets"])
    assert backend.get_variable("sentry_dsn") == SECRETS["variables"]["sentry_dsn"]
    assert json.loads(backend.get_variable("pod_secrets")) == SECRETS["variables"]["pod_secrets"]
    assert backend.get_connection("slack_default").password == "planted"
    assert backend.get_variable("bq_dataset") is None
    assert backend.get_connection("another") is None

    other = {**SECRETS, "connections": {"slack_default": "slack://:changed@"}}
    again = cloud.run(*options[:-1], "-", standard_input=json.dumps(other))
    assert again.returncode == 0, again.stderr
    assert [change[1:5] for change in cloud.changes()] == [
        ["secrets", "versions", "add", "airflow-connections-slack_default"]
    ]
    assert cloud.state()["secrets"]["airflow-connections-slack_default"] == "slack://:changed@"


@pytest.mark.parametrize(
    ("secrets", "message"),
    [
        ("no JSON", "not JSON"),
        ('{"variables": ["planted"]}', "it must contain objects"),
        ('{"variables": {"sentry": "planted"}}', "unknown: sentry"),
    ],
)
def test_invalid_secrets_are_refused_and_not_shown(cloud, secrets, message):
    done = cloud.run("composer3", "--secrets-backend", "secret-manager", "--secrets", "-", standard_input=secrets)
    assert (done.returncode, cloud.changes()) == (1, [])
    assert message in done.stderr
    assert "planted" not in done.stderr


@pytest.fixture
def secret_manager(monkeypatch, tmp_path):
    """Airflow's backend on a Secret Manager on loopback: Google's client, messages and method, over gRPC."""
    servers = []

    def secret_manager(overrides, secrets):
        def access(request, context):
            project, name, version = re.fullmatch(r"projects/(.+)/secrets/(.+)/versions/(.+)", request.name).groups()
            assert (project, version) == (PROJECT, "latest")
            if name not in secrets:
                context.abort(grpc.StatusCode.NOT_FOUND, f"Secret [{request.name}] not found")
            payload = types.SecretPayload(data=secrets[name].encode())
            return types.AccessSecretVersionResponse(name=request.name, payload=payload)

        handler = grpc.unary_unary_rpc_method_handler(
            access,
            types.AccessSecretVersionRequest.deserialize,
            types.AccessSecretVersionResponse.serialize,
        )
        server = grpc.server(ThreadPoolExecutor(1))
        service = "google.cloud.secretmanager.v1.SecretManagerService"
        server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler(service, {"AccessSecretVersion": handler})]
        )
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        servers.append(server)
        transport = SecretManagerServiceGrpcTransport(channel=grpc.insecure_channel(f"127.0.0.1:{port}"))
        client = SecretManagerServiceClient(transport=transport)
        monkeypatch.setattr(_SecretManagerClient, "client", client)
        key = tmp_path / "key.json"
        user = {"type": "authorized_user", "client_id": "i", "client_secret": "s", "refresh_token": "t"}
        key.write_text(json.dumps(user))
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key))
        module, _, name = overrides["secrets-backend"].rpartition(".")
        backend = getattr(importlib.import_module(module), name)
        return backend(**json.loads(overrides["secrets-backend_kwargs"]))

    yield secret_manager
    for server in servers:
        server.stop(None)


def test_an_interrupted_run_continues(cloud):
    assert cloud.run().returncode == 0
    whole, half = cloud.state(), len(cloud.changes()) // 2
    cloud.reset()
    shutil.rmtree(cloud.folder / "made")
    done = cloud.run(FAIL_AT=str(half))
    assert done.returncode != 0
    assert "run this again" in done.stderr
    assert cloud.state() != whole
    assert cloud.run().returncode == 0
    assert cloud.state() == whole


@pytest.mark.slow
@pytest.mark.parametrize(("place", "how"), [("composer3", "before"), ("gke", "before"), ("gke", "after")])
def test_a_run_interrupted_at_any_command_ends_in_the_same_state(cloud, place, how):
    """Each run executes one more command than the run before, and fails there, before or after the command's effect."""
    assert cloud.run(place).returncode == 0
    whole, count = cloud.state(), len(cloud.changes())
    cloud.reset()
    shutil.rmtree(cloud.folder / "made")
    first, options = (2, {}) if how == "before" else (1, {"LOSE_REPLY": "1"})
    at, failed = first, []
    for _ in range(2 * count):
        done = cloud.run(place, FAIL_AT=str(at), **options)
        if done.returncode == 0:
            break
        assert re.search(r"step \d+, [\w ]+: failed: ", done.stderr)
        assert "run this again" in done.stderr
        # An import is repeated until its success is recorded, so the next run must get further.
        at = at + 1 if cloud.changes()[-1:] == failed[-1:] else first
        failed += cloud.changes()[-1:]
    assert len({tuple(command) for command in failed}) >= count - 1
    assert done.returncode == 0
    assert cloud.run(place).returncode == 0
    assert cloud.state() == whole


@pytest.mark.slow
def test_a_deleted_environment_is_filled_again(cloud):
    assert cloud.run().returncode == 0
    whole = cloud.state()
    without = json.loads(cloud.file.read_text())
    del without["composer"]
    cloud.file.write_text(json.dumps(without))
    assert cloud.run().returncode == 0
    assert cloud.state() == whole


WRONG = {
    "a bucket elsewhere": ("buckets", f"gs://{PROJECT}-stellar-etl-exports", {"location": "EU"}, "is in EU, not in"),
    "a dataset elsewhere": ("datasets", f"{PROJECT}:stellar", {"location": "EU"}, "dataset stellar is in EU"),
    "another network's dataset": (
        *("datasets", f"{PROJECT}:stellar", {"location": "us-central1", "labels": {NETWORK_LABEL: "0" * 32}}),
        "contains ledgers of another network",
    ),
    "another deployment's dataset": (
        *("datasets", f"{PROJECT}:stellar", {"location": "us-central1", "labels": {DEPLOYMENT_LABEL: "other"}}),
        "dataset stellar is written by the deployment other",
    ),
    "a cluster without Workload Identity": ("clusters", "stellar-etl", {}, "has no Workload Identity"),
    "an environment of Airflow 2": (
        *("composer", "stellar-etl"),
        {
            "state": "RUNNING",
            "config": {
                "softwareConfig": {"imageVersion": "composer-2.9.0-airflow-2.9.3"},
                "nodeConfig": {"serviceAccount": "x"},
                "dagGcsPrefix": "gs://x/dags",
            },
        },
        "the DAGs need Airflow 3",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_errors_are_reported_before_anything_is_created(cloud, case):
    kind, name, value, message = WRONG[case]
    cloud.add(kind, name, value)
    done = cloud.run("gke")
    assert done.returncode == 1
    assert message in done.stderr and "nothing was created" in done.stderr
    assert cloud.changes() == []


def test_a_missing_permission_is_named(cloud, monkeypatch):
    monkeypatch.setattr(Permissions, "lacking", frozenset({"storage.buckets.create", "container.roles.create"}))
    done = cloud.run("gke")
    assert done.returncode == 1
    assert "you lack the permission storage.buckets.create on project my-project" in done.stderr
    assert "container.roles.create" in done.stderr
    assert cloud.changes() == []
    assert "a-secret-token" not in done.stdout + done.stderr


@pytest.mark.parametrize("program", ["gcloud", "bq", "kubectl", "gke-gcloud-auth-plugin"])
def test_a_missing_program_is_named(cloud, program):
    (cloud.bin / program).unlink()
    done = cloud.run("gke")
    assert done.returncode == 1
    assert f"{program} is missing: install it" in done.stderr
    assert cloud.changes() == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--place", "composer2"], "Composer 2 has only Airflow 2"),
        (["--location", "us-central1-a"], "is no region"),
        (["--export-bucket", "Bad_Bucket"], "is no bucket's name"),
        (["--database-days", "7"], "is not a number of days from 30 to 730"),
        (["--start-date", "yesterday"], "--start-date"),
        (["--size", "7"], "invalid choice: '7'"),
        (["--dataset", "a-b"], "is no dataset's name"),
        (["--stellar-network", "testnet"], "--stellar-network testnet needs --lake"),
        (["--env", "PATH=/x"], "is not STELLAR_ETL_"),
        (["--variables", "/nowhere.json"], "/nowhere.json: not a file of Airflow Variables"),
        (["--project", "someone-elses"], "project someone-elses does not exist, or you lack the permission"),
    ],
)
def test_invalid_options_are_refused(cloud, arguments, message):
    done = cloud.run("composer3", *arguments)
    assert done.returncode != 0
    assert message in done.stderr
    assert cloud.changes() == []


def test_an_invalid_file_of_variables_is_refused(cloud):
    mine = cloud.folder / "mine.json"
    mine.write_text('{"bq_projekt": "x"}')
    done = cloud.run("composer3", "--variables", str(mine))
    assert "unknown Airflow Variable 'bq_projekt'; did you mean 'bq_project'?" in done.stderr
    assert cloud.changes() == []


def test_options_may_come_from_environment_variables(cloud):
    settings = {"DATASET": "other", "STELLAR_NETWORK": "testnet", "LAKE": "gs://x/y"}
    done = cloud.run(**{f"BOOTSTRAP_{name}": value for name, value in settings.items()})
    assert done.returncode == 0, done.stderr
    state = cloud.state()
    labels = {
        NETWORK_LABEL: network_hash("Test SDF Network ; September 2015"),
        DEPLOYMENT_LABEL: f"{PROJECT}-us-central1-stellar-etl",
    }
    assert state["datasets"][f"{PROJECT}:other"]["labels"] == labels
    assert state["composer"]["stellar-etl"]["variables"]["use_testnet"] is True


def test_pods_may_read_a_custom_lake(cloud):
    cloud.add("buckets", "gs://ledgers", {"location": "US-CENTRAL1"})
    assert cloud.run("gke", "--lake", "gs://ledgers/pubnet").returncode == 0
    assert ("buckets", "gs://ledgers", "roles/storage.objectViewer") in roles(cloud.state(), "pods")


def test_the_public_lake_is_the_exporters_default(cloud):
    assert cloud.run().returncode == 0
    assert cloud.state()["composer"]["stellar-etl"]["variables"]["txmeta_datastore_path"] == PUBLIC_LAKE


@pytest.mark.parametrize("place", PLACES)
def test_the_page_has_the_commands_that_the_script_prints(cloud, place):
    """Update the page with: WRITE_DOCS=1 pytest tests/scripts/test_bootstrap.py -k page -n 0."""
    done = cloud.run(place, "--dry-run", "--folder", ".gcp/stellar-etl", "--start-date", "2026-01-01T00:00:00Z")
    assert done.returncode == 0, done.stderr
    # The tag contains a hash of the exporter's files, which changes with each of them.
    printed = re.sub(r"(stellar-etl:[\d.]+)-[0-9a-f]{12}", r"\1-0123456789ab", done.stdout.strip())
    document = REPO / "docs/production.md"
    text = document.read_text()
    begin, end = f"<!-- {place}: as the script prints it -->\n```sh\n", "\n```\n"
    before, found, rest = text.partition(begin)
    shown, _, after = rest.partition(end)
    if os.environ.get("WRITE_DOCS"):
        document.write_text(before + begin + printed + end + after)
    assert found and shown == printed


@pytest.mark.skipif(not gcloud.LIST.exists(), reason="needs an installed gcloud, whose list of commands is read")
@pytest.mark.parametrize("place", PLACES)
def test_gcloud_has_each_command_and_option(cloud, place):
    printed = commands(cloud.run(place, "--dry-run").stdout)
    assert printed
    for program, *words in printed:
        if program == "gcloud":
            gcloud.assert_exists(words)
