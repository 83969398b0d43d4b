"""scripts/bootstrap_gcp.sh on a made-up cloud: it looks first, makes what is missing, and may be cut off anywhere."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from airflow.models.connection import Connection

from stellar_etl.cli.options import PUBLIC_LAKE
from stellar_etl_airflow.bigquery.tables import NETWORK_LABEL, network_hash
from stellar_etl_airflow.settings.checks import check
from tests.shared import REPO

PROJECT = "my-project"
PLACES = ("composer3", "gke")
PROGRAMS = ("gcloud", "bq", "kubectl", "gke-gcloud-auth-plugin")


class Permissions(BaseHTTPRequestHandler):
    """Cloud Resource Manager: all permissions that are asked for, but those in `lacking`."""

    lacking: frozenset[str] = frozenset()

    def do_POST(self):
        assert self.headers["Authorization"] == "Bearer a-secret-token"
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["permissions"]
        answer = json.dumps({"permissions": [name for name in asked if name not in self.lacking]}).encode()
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


class Cloud:
    """A made-up cloud, and the real script against it."""

    def __init__(self, folder: Path, url: str) -> None:
        self.file, self.noted, self.bin = folder / "cloud.json", folder / "changes", folder / "bin"
        self.url, self.folder = url, folder
        self.bin.mkdir()
        for program in PROGRAMS:
            stand_in = self.bin / program
            stand_in.write_text(
                f'#!/bin/sh\nexec {sys.executable} -S {REPO}/tests/scripts/cloud.py {program} "$@"\n'
                if program != "kubectl"
                else f'#!/bin/sh\nexec {sys.executable} {REPO}/tests/scripts/cloud.py {program} "$@"\n'
            )
            stand_in.chmod(0o755)
        for program in ("bash", "sh", "dirname", "cat", "sha256sum", "cut"):
            (self.bin / program).symlink_to(shutil.which(program))
        self.reset()

    def reset(self) -> None:
        self.file.write_text(json.dumps({"projects": {PROJECT: {}}}))

    def state(self) -> dict:
        return json.loads(self.file.read_text())

    def add(self, kind: str, name: str, value: dict) -> None:
        state = self.state()
        state.setdefault(kind, {})[name] = value
        self.file.write_text(json.dumps(state))

    def run(self, place: str = "composer3", *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        self.noted.write_text("")
        # The files that it writes lie below the name of the environment, in the checkout.
        return subprocess.run(
            [
                *("bash", str(REPO / "scripts/bootstrap_gcp.sh")),
                *("--project", PROJECT, "--place", place, "--folder", str(self.folder / "made"), *arguments),
            ],
            env={
                "PATH": str(self.bin),
                "CLOUD": str(self.file),
                "CHANGES": str(self.noted),
                "CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDRESOURCEMANAGER": self.url,
                **environment,
            },
            capture_output=True,
            text=True,
            check=False,
        )

    def changes(self) -> list[list[str]]:
        return [json.loads(line) for line in self.noted.read_text().splitlines()]


@pytest.fixture
def cloud(tmp_path, resource_manager, monkeypatch):
    monkeypatch.setattr(Permissions, "lacking", frozenset())
    return Cloud(tmp_path, resource_manager)


def commands(output: str) -> list[list[str]]:
    """What the script printed, as a shell reads it, but what only changes this machine."""
    lines = [shlex.split(line) for line in output.splitlines() if line and not line.startswith("#")]
    return [line for line in lines if line[0] != "export" and "get-credentials" not in line]


@pytest.mark.parametrize("place", PLACES)
def test_a_first_run_makes_everything_and_a_second_changes_nothing(cloud, place):
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


def roles(state: dict, what: str) -> set[tuple[str, str, str]]:
    """Who has which role on which resource, for one of the accounts."""
    member = f"serviceAccount:stellar-etl-{what}@{PROJECT}.iam.gserviceaccount.com"
    return {
        (kind, name, binding["role"])
        for kind in ("projects", "buckets", "accounts")
        for name, resource in state.get(kind, {}).items()
        for binding in resource.get("bindings", [])
        if member in binding["members"]
    }


def test_each_account_may_do_what_it_needs_and_no_more(cloud):
    assert cloud.run("gke").returncode == 0
    state = cloud.state()
    exports, airflow = f"gs://{PROJECT}-stellar-etl-exports", f"gs://{PROJECT}-stellar-etl-airflow"
    assert roles(state, "pods") == {("buckets", exports, "roles/storage.objectCreator")}
    assert roles(state, "composer") == {
        ("projects", PROJECT, "roles/bigquery.jobUser"),
        ("projects", PROJECT, "roles/composer.worker"),
        ("projects", PROJECT, "roles/container.clusterViewer"),
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


@pytest.mark.parametrize("place", PLACES)
def test_nothing_mighty_and_no_key_is_ever_made(cloud, place):
    printed = cloud.run(place, "--dry-run").stdout
    assert "--role=roles/" in printed
    assert not re.search(r"roles/(owner|editor|viewer)\b|\.admin\b|Admin\b|cluster-admin|keys create|secret", printed)
    assert "cluster-admin" not in (REPO / "scripts/pod_role.yaml").read_text()


@pytest.mark.parametrize("place", PLACES)
def test_airflow_gets_the_variables_pools_connections_and_packages(cloud, place):
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
        path = kubernetes.extra_dejson["kube_config_path"]
        url = path.replace("/home/airflow/gcs", f"gs://{PROJECT}-stellar-etl-airflow")
        assert "cluster: stellar-etl" in cloud.state()["objects"][url]
        (affinity,) = variables["affinity"]["nodeAffinity"].values()
        (expression,) = affinity["nodeSelectorTerms"][0]["matchExpressions"]
        assert expression["values"] == list(cloud.state()["pools"])
        (borne,) = variables["tolerations"]
        create = next(change for change in cloud.changes() if "node-pools" in change)
        assert f"--node-taints={borne['key']}={borne['value']}:{borne['effect']}" in create


def test_only_what_differs_is_changed(cloud):
    assert cloud.run("gke").returncode == 0
    done = cloud.run("gke", "--env", "STELLAR_ETL_CATCHUP=false", "--public-dataset", "open")
    assert done.returncode == 0, done.stderr
    what = [" ".join([word for word in change if not word.startswith("--")][:4]) for change in cloud.changes()]
    composer = f"serviceAccount:stellar-etl-composer@{PROJECT}.iam.gserviceaccount.com"
    grant = f'GRANT `roles/bigquery.dataEditor` ON SCHEMA `{PROJECT}`.`open` TO "{composer}"'
    assert what == [
        f"bq mk {PROJECT}:open",
        f"bq query {grant}",
        "gcloud composer environments update",
        f"gcloud storage cp {cloud.folder}/made/variables.json",
        "gcloud composer environments run",
        f"gcloud storage cp gs://{PROJECT}-stellar-etl-airflow/data/stellar-etl/variables.json",
    ]
    assert any("--update-env-variables=STELLAR_ETL_CATCHUP=false" in change for change in cloud.changes())


def test_interrupted_once_it_goes_on(cloud):
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
def test_interrupted_at_every_command_it_ends_in_the_same_state(cloud, place, how):
    """Each run gets one command further than the one before, and fails there: before or after it took effect."""
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
        # An import is repeated until it is noted that it was made: the next run has to get further.
        at = at + 1 if cloud.changes()[-1:] == failed[-1:] else first
        failed += cloud.changes()[-1:]
    assert len({tuple(command) for command in failed}) >= count - 1
    assert done.returncode == 0
    assert cloud.run(place).returncode == 0
    assert cloud.state() == whole


def test_an_environment_that_was_deleted_is_filled_again(cloud):
    assert cloud.run().returncode == 0
    whole = cloud.state()
    without = json.loads(cloud.file.read_text())
    del without["composer"]
    cloud.file.write_text(json.dumps(without))
    assert cloud.run().returncode == 0
    assert cloud.state() == whole


WRONG = {
    "a bucket elsewhere": ("buckets", f"gs://{PROJECT}-stellar-etl-exports", {"location": "EU"}, "lies in EU, not in"),
    "a dataset elsewhere": ("datasets", f"{PROJECT}:stellar", {"location": "EU"}, "dataset stellar lies in EU"),
    "another network's dataset": (
        *("datasets", f"{PROJECT}:stellar", {"location": "us-central1", "labels": {NETWORK_LABEL: "0" * 32}}),
        "holds the ledgers of another network",
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
def test_what_is_wrong_is_said_before_anything_is_made(cloud, case):
    kind, name, value, message = WRONG[case]
    cloud.add(kind, name, value)
    done = cloud.run("gke")
    assert done.returncode == 1
    assert message in done.stderr and "nothing was made" in done.stderr
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
        (["--place", "composer2"], "Composer 2 has Airflow 2 alone"),
        (["--location", "us-central1-a"], "is no region"),
        (["--export-bucket", "Bad_Bucket"], "is no bucket's name"),
        (["--dataset", "a-b"], "is no dataset's name"),
        (["--stellar-network", "testnet"], "--stellar-network testnet needs --lake"),
        (["--env", "PATH=/x"], "is not STELLAR_ETL_"),
        (["--variables", "/nowhere.json"], "/nowhere.json: not a file of Airflow Variables"),
        (["--project", "someone-elses"], "project someone-elses is not there, or not yours to see"),
    ],
)
def test_wrong_options_are_refused(cloud, arguments, message):
    done = cloud.run("composer3", *arguments)
    assert done.returncode != 0
    assert message in done.stderr
    assert cloud.changes() == []


def test_wrong_variables_of_ones_own_are_refused(cloud):
    mine = cloud.folder / "mine.json"
    mine.write_text('{"bq_projekt": "x"}')
    done = cloud.run("composer3", "--variables", str(mine))
    assert "unknown Airflow Variable 'bq_projekt'; did you mean 'bq_project'?" in done.stderr
    assert cloud.changes() == []


def test_options_may_come_from_the_environment(cloud):
    settings = {"DATASET": "other", "STELLAR_NETWORK": "testnet", "LAKE": "gs://x/y"}
    done = cloud.run(**{f"BOOTSTRAP_{name}": value for name, value in settings.items()})
    assert done.returncode == 0, done.stderr
    state = cloud.state()
    label = {NETWORK_LABEL: network_hash("Test SDF Network ; September 2015")}
    assert state["datasets"][f"{PROJECT}:other"]["labels"] == label
    assert state["composer"]["stellar-etl"]["variables"]["use_testnet"] is True


def test_an_own_lake_may_be_read_by_the_pods(cloud):
    cloud.add("buckets", "gs://ledgers", {"location": "US-CENTRAL1"})
    assert cloud.run("gke", "--lake", "gs://ledgers/pubnet").returncode == 0
    assert ("buckets", "gs://ledgers", "roles/storage.objectViewer") in roles(cloud.state(), "pods")


def test_the_public_lake_is_the_exporters(cloud):
    assert cloud.run().returncode == 0
    assert cloud.state()["composer"]["stellar-etl"]["variables"]["txmeta_datastore_path"] == PUBLIC_LAKE


@pytest.mark.parametrize("place", PLACES)
def test_the_document_has_the_commands_that_the_script_prints(cloud, place):
    """Write them anew with: WRITE_DOCS=1 pytest tests/scripts/test_bootstrap.py -k document -n 0."""
    done = cloud.run(place, "--dry-run", "--folder", ".gcp/stellar-etl")
    assert done.returncode == 0, done.stderr
    printed = done.stdout.strip()
    document = REPO / "docs/production.md"
    text = document.read_text()
    begin, end = f"<!-- {place}: as the script prints it -->\n```sh\n", "\n```\n"
    before, found, rest = text.partition(begin)
    shown, _, after = rest.partition(end)
    if os.environ.get("WRITE_DOCS"):
        document.write_text(before + begin + printed + end + after)
    assert found and shown == printed


SDK = Path(shutil.which("gcloud") or "/nowhere").resolve().parents[1] / "data/cli/gcloud_completions.py"


@pytest.mark.skipif(not SDK.exists(), reason="needs an installed gcloud, whose list of commands is read")
@pytest.mark.parametrize("place", PLACES)
def test_gcloud_knows_each_command_and_option(cloud, place):
    tree: dict = {}
    exec(SDK.read_text(), tree)
    wide = {"--project", "--format", "--quiet"}
    printed = commands(cloud.run(place, "--dry-run").stdout)
    assert printed
    for program, *words in printed:
        if program != "gcloud":
            continue
        node, own = tree["STATIC_COMPLETION_CLI_TREE"], words[: words.index("--")] if "--" in words else words
        while own and own[0] in node.get("commands", {}):
            node = node["commands"][own.pop(0)]
        assert not node.get("commands"), words
        assert {word.split("=")[0] for word in own if word.startswith("--")} <= node["flags"].keys() | wide, words
