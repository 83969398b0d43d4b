"""Airflow's own API server with the plugin, users of three kinds, and the bucket with the summary."""

from __future__ import annotations

import json
import shutil
import urllib.error
import urllib.request
from dataclasses import dataclass, field

import pytest
from google.cloud.storage import Bucket

from tests.local import emulators
from tests.local.airflow_server import airflow
from tests.shared import REPO

USERS = {"admin": "admin", "reader": "viewer", "stranger": ""}
"""Users by name, and their roles: the last one has no role, and no access."""

PREFIX = "dag-exported"
OBJECT = f"coverage_page/{PREFIX}/summary.json"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Page:
    """The server, for an HTTP client."""

    url: str
    bucket: Bucket
    tokens: dict[str, str] = field(default_factory=dict)

    def ask(self, path, user="", method="GET", body=None) -> Answer:
        """Send one request, with the cookie that Airflow's UI would send for a user."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, method=method)
        if data:
            request.add_header("Content-Type", "application/json")
        if user:
            request.add_header("Cookie", f"_token={self.token(user)}")
        try:
            with urllib.request.urlopen(request) as answer:
                return Answer(answer.status, dict(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            return Answer(error.code, dict(error.headers), error.read())

    def token(self, user) -> str:
        if user not in self.tokens:
            answer = self.ask("/auth/token", method="POST", body={"username": user, "password": f"{user}'s"})
            self.tokens[user] = json.loads(answer.body)["access_token"]
        return self.tokens[user]

    def write(self, text) -> None:
        """Put a summary into the bucket, as the task does."""
        self.bucket.blob(OBJECT).upload_from_string(text, content_type="application/json")


@pytest.fixture(scope="session")
def page_server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    passwords = folder / "passwords.json"
    passwords.write_text(json.dumps({user: f"{user}'s" for user in USERS}))
    dags = folder / "dags"
    dags.mkdir()
    shutil.copy(REPO / "dags/history_backfill_dag.py", dags)  # the DAG that the form triggers
    connection = {"conn_type": "google_cloud_platform", "extra": {"project": "local", "is_anonymous": True}}
    with emulators.running(emulators.bucket(folder / "gcs")) as bucket:
        environment = {
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPO / "plugins"),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{user}:{role}" for user, role in USERS.items()),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
            "AIRFLOW_CONN_GOOGLE_CLOUD_PLATFORM_CONNECTION": json.dumps(connection),
            "AIRFLOW_VAR_GCS_EXPORTED_DATA_BUCKET_NAME": emulators.BUCKET,
            "AIRFLOW_VAR_GCS_EXPORTED_OBJECT_PREFIX": PREFIX,
            "STORAGE_EMULATOR_HOST": bucket.url,
            "_AIRFLOW_PROCESS_CONTEXT": "server",  # as `airflow api-server` sets it
        }
        with emulators.running(airflow(folder / "home", **environment)) as server:
            yield Page(server.url, emulators.storage_client(bucket).bucket(emulators.BUCKET))


@pytest.fixture
def page(page_server):
    """The server, without a summary of earlier tests."""
    for blob in page_server.bucket.list_blobs(prefix="coverage_page/"):
        blob.delete()
    return page_server
