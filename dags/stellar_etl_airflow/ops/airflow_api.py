"""Airflow's REST API, version 2, of any environment.

API reference: https://airflow.apache.org/docs/apache-airflow/stable/stable-rest-api-ref.html. Authentication with a
Google account on Composer: https://cloud.google.com/composer/docs/composer-3/access-airflow-api.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

import google.auth
import requests
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import AuthorizedSession

TOKEN_VARIABLE = "AIRFLOW_API_TOKEN"  # noqa: S105  the name of an environment variable
URL_VARIABLE = "AIRFLOW_API_URL"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
LOOPBACK = ("127.0.0.1", "::1", "localhost")
PAGE = 100
"""Objects per page: Airflow returns at most `[api] maximum_page_limit`, which is 100."""
SECONDS = 60
"""Timeout of a request."""
MASKED = "***"
"""Airflow's API shows this instead of a Variable whose key looks like a secret's."""


class AirflowApiError(RuntimeError):
    """A request to Airflow failed; the message names the reason and the remedy."""


def add_airflow_option(parser: argparse.ArgumentParser) -> None:
    """Add `--airflow URL` to a command."""
    parser.add_argument(
        "--airflow",
        metavar="URL",
        default=os.environ.get(URL_VARIABLE),
        required=URL_VARIABLE not in os.environ,
        help=f"Airflow's address, as in the browser (default: the environment variable {URL_VARIABLE}). Authenticates "
        f"with the token in {TOKEN_VARIABLE}, or else with your Google account (Composer); a laptop's Airflow needs "
        f"neither",
    )


def session_for(url: str) -> requests.Session:
    """Return an authenticated session.

    Args:
        url: Airflow's address. A Google token is sent only to https addresses.

    Raises:
        AirflowApiError: no credentials were found.
    """
    session = requests.Session()
    token = os.environ.get(TOKEN_VARIABLE)
    if not token and urlsplit(url).hostname in LOOPBACK:
        # The simple auth manager returns a token to anybody if all users are administrators.
        answer = session.get(f"{url}/auth/token", timeout=SECONDS)
        token = answer.json()["access_token"] if answer.ok else None
    if token:
        session.headers["Authorization"] = f"Bearer {token}"
        return session
    if not url.startswith("https://"):
        raise AirflowApiError(f"{url}: set {TOKEN_VARIABLE}; Google credentials are sent to https addresses only")
    try:
        credentials, _ = google.auth.default(scopes=[SCOPE])
    except GoogleAuthError as error:
        raise AirflowApiError(f"{error}: set {TOKEN_VARIABLE}, or run gcloud auth application-default login") from None
    return AuthorizedSession(credentials)


class AirflowApi:
    """The objects of one Airflow that commands read and write."""

    def __init__(self, url: str, session: requests.Session | None = None) -> None:
        self.url = url.rstrip("/")
        self._session = session

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Make one request below `/api/v2`. Return the response's JSON; None if it is empty.

        Raises:
            AirflowApiError: the request failed; the message includes Airflow's.
        """
        try:
            if self._session is None:
                self._session = session_for(self.url)
            answer = self._session.request(method, f"{self.url}/api/v2/{path}", json=body, timeout=SECONDS)
        except (requests.RequestException, GoogleAuthError) as error:
            raise AirflowApiError(f"Airflow at {self.url} does not respond: {error}") from None
        if not answer.ok:
            hint = f"; is the token in {TOKEN_VARIABLE} valid?" if answer.status_code in (401, 403) else ""
            raise AirflowApiError(f"Airflow rejected {method} {path}: {answer.status_code} {answer.text[:500]}{hint}")
        try:
            return answer.json() if answer.content else None
        except ValueError:
            raise AirflowApiError(f"{self.url} is not Airflow's address: {path} is not JSON") from None

    def pages(self, path: str, key: str) -> Iterator[dict[str, Any]]:
        """Yield all objects of a list, page by page.

        Args:
            path: the list's path; it may have a query.
            key: the list's name in the response.
        """
        offset, joint = 0, "&" if "?" in path else "?"
        while True:
            page = self.call("GET", f"{path}{joint}limit={PAGE}&offset={offset}")
            yield from page[key]
            offset += len(page[key])
            if not page[key] or offset >= page["total_entries"]:
                return

    def variables(self) -> dict[str, str]:
        """Return the text of each Variable in Airflow's database; `MASKED` if the key looks like a secret's."""
        return {one["key"]: one["value"] for one in self.pages("variables?order_by=key", "variables")}

    def add_variable(self, key: str, value: Any, description: str) -> None:
        """Create a Variable, with the text that `airflow variables import` would write."""
        text = value if isinstance(value, str) else json.dumps(value, indent=2)
        self.call("POST", "variables", {"key": key, "value": text, "description": description})

    def pools(self) -> dict[str, dict[str, Any]]:
        """Return the pools by name."""
        return {one["name"]: one for one in self.pages("pools?order_by=id", "pools")}

    def add_pool(self, name: str, pool: Mapping[str, Any]) -> None:
        """Create a pool."""
        self.call("POST", "pools", {"name": name, **pool})

    def dags(self) -> dict[str, dict[str, Any]]:
        """Return the DAGs by id."""
        return {one["dag_id"]: one for one in self.pages("dags?order_by=dag_id", "dags")}

    def active_runs(self, dag_id: str) -> list[str]:
        """Return the ids of a DAG's running and queued runs."""
        path = f"dags/{quote(dag_id, safe='')}/dagRuns?state=running&state=queued"
        return [one["dag_run_id"] for one in self.pages(path, "dag_runs")]

    def health(self) -> dict[str, str]:
        """Return the state of each component of Airflow: `healthy`, `unhealthy`, or `unknown`."""
        answer = self.call("GET", "monitor/health")
        return {part: (found or {}).get("status") or "unknown" for part, found in answer.items()}

    def import_errors(self) -> dict[str, str]:
        """Return the last line of the error of each DAG file that can't be imported."""
        found = self.pages("importErrors", "import_errors")
        return {one["filename"]: (one["stack_trace"].strip().splitlines() or [""])[-1] for one in found}

    def tasks_since(self, moment: datetime) -> list[dict[str, Any]]:
        """Return the tasks of all DAGs that started since a time."""
        since = quote(moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), safe="")
        return list(self.pages(f"dags/~/dagRuns/~/taskInstances?start_date_gte={since}", "task_instances"))

    def runs_since(self, moment: datetime) -> list[dict[str, Any]]:
        """Return the runs of all DAGs that were due since a time, latest first."""
        since = quote(moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), safe="")
        return list(self.pages(f"dags/~/dagRuns?run_after_gte={since}&order_by=-run_after", "dag_runs"))
