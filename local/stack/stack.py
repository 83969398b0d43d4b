"""The interface of a stack for commands and tests: start, stop, query."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

import psutil
import requests

from local.interrupts import uninterrupted
from local.stack.disk import full_disk, with_disk
from local.stack.environment import airflow_environment, with_direct_loopback
from local.stack.health import answers
from local.stack.layout import (
    BUCKET,
    EXPORT_DAYS,
    PROJECT,
    REPO,
    Options,
    StackLayout,
    State,
    ensure_secrets,
    free_ports,
    write_private,
)
from local.stack.services import Service, services

START_SECONDS = 600
"""The time-out for all services to respond: a busy machine needs minutes."""
RESTART_SECONDS = 300
"""The time for which a read request waits for Airflow's API server, which can be restarting."""
HEALTH_SECONDS = 20.0
"""The time-out of a health check: a server that is busy with a request needs some seconds."""
MOST_TABLES = 10_000
"""More than the number of tables and views of a stack's dataset, so that one response lists all."""
DOWN = "the stack is down: start it with python -m local up"


class StackError(Exception):
    """A request to the stack failed; the message has the reason and the log to read."""


@dataclass(frozen=True)
class ServiceStatus:
    """The state of a service.

    Attributes:
        name: its name.
        pid: its process, None if it does not run.
        port: its port, None if it does not listen.
        well: whether its health check succeeds, or it runs if it has none.
        since: its start, in seconds since 1970.
        restarts: the number of its restarts.
    """

    name: str
    pid: int | None
    port: int | None
    well: bool
    since: float | None
    restarts: int


def _read(path: Path) -> dict[str, Any] | None:
    try:
        value: dict[str, Any] = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None
    return value


class Stack:
    """One stack, in its own folder."""

    def __init__(self, root: Path) -> None:
        self.layout = StackLayout(root.resolve())
        self._session: requests.Session | None = None

    # What is there ----------------------------------------------------------------------------------------------

    def state(self) -> State:
        """The saved state of the stack.

        Raises:
            StackError: the folder has no stack.
        """
        state = State.load(self.layout)
        if state is None:
            raise StackError(f"{self.layout.root} has no stack: start one with python -m local up")
        return state

    def supervisor(self) -> psutil.Process | None:
        """The process that keeps the stack alive, None if the stack is down."""
        noted = _read(self.layout.run / "supervisor.json")
        with contextlib.suppress(psutil.Error):
            if noted is not None:
                process = psutil.Process(noted["pid"])
                if "local.stack.supervisor" in process.cmdline():
                    return process
        return None

    def services(self) -> list[Service]:
        """The services of the stack."""
        return services(self.layout, self.state(), ensure_secrets(self.layout), os.environ)

    def status(self) -> list[ServiceStatus]:
        """The state of each service."""
        starts = (_read(self.layout.run / "supervisor.json") or {}).get("starts", {})
        result = []
        for service in self.services():
            noted = _read(self.layout.run / f"{service.name}.json") or {}
            pid = noted.get("pid")
            alive = pid is not None and psutil.pid_exists(pid)
            well = alive and (not service.health or answers(service.health, HEALTH_SECONDS))
            result.append(
                ServiceStatus(
                    service.name,
                    pid if alive else None,
                    service.port,
                    well,
                    noted.get("since"),
                    max(starts.get(service.name, 0) - 1, 0),
                )
            )
        return result

    @property
    def sample_lake(self) -> Path:
        """The folder of the generated ledgers."""
        return self.layout.root / "lake"

    @property
    def options(self) -> Options:
        """The options of the stack, or those of its first start."""
        state = State.load(self.layout)
        return state.options if state else Options(lake=str(self.sample_lake))

    @property
    def ui(self) -> str:
        """The URL of Airflow's UI."""
        return f"http://127.0.0.1:{self.state().ports['airflow']}"

    def environment(self) -> dict[str, str]:
        """The environment of the stack's Airflow processes."""
        state = self.state()
        return airflow_environment(self.layout, state.ports, state.options, ensure_secrets(self.layout), os.environ)

    # Up and down ------------------------------------------------------------------------------------------------

    def configure(self, **changes: Any) -> bool:
        """Save the stack's options; return whether they changed."""
        saved = State.load(self.layout)
        options = replace(self.options, **changes)
        ports = saved.ports if saved and self.supervisor() else free_ports(saved.ports if saved else None)
        changed = saved is None or options != saved.options
        State(ports, options).save(self.layout)
        variables = laptop_variables(json.loads((REPO / "airflow_variables.json").read_text()), options)
        write_private(self.layout.variables, json.dumps(variables, indent=2))
        return changed

    def up(self, **changes: Any) -> bool:
        """Start the stack, or restart it if its options change; wait until it is healthy.

        Args:
            changes: options of `Options`, by name.

        Returns:
            Whether it was started.

        Raises:
            StackError: the disk is full, or the stack does not become healthy.
        """
        if problem := full_disk(self.layout.root):
            raise StackError(problem)
        changed = self.configure(**changes)
        if self.supervisor() is not None:
            if not changed:
                self.wait()
                self._make_dataset()
                return False
            self.down()
        self.layout.logs.mkdir(parents=True, exist_ok=True)
        with (self.layout.logs / "supervisor.log").open("ab") as log:
            process = self._start_supervisor(log)
        self.wait(process)
        self._make_dataset()
        return True

    def _start_supervisor(self, log: IO[bytes] | None = None) -> subprocess.Popen[bytes]:
        """Start the supervisor, after ending processes of an earlier one; it logs to a file, or to this terminal."""
        ensure_secrets(self.layout)
        self._clean_up()
        return subprocess.Popen(
            [sys.executable, "-m", "local.stack.supervisor", str(self.layout.root)],
            cwd=REPO,
            env=with_direct_loopback(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

    def wait(self, process: subprocess.Popen[bytes] | None = None, seconds: float = START_SECONDS) -> None:
        """Wait until every service is healthy.

        Raises:
            StackError: a service is unhealthy; the message names it and its log.
        """
        deadline = time.monotonic() + seconds
        while True:
            unhealthy = [status.name for status in self.status() if not status.well]
            if not unhealthy:
                return
            if process is not None and process.poll() is not None:
                problem = f"the stack did not start: see {self.layout.logs / 'prepare.log'}"
                raise StackError(with_disk(problem, self.layout.root))
            if time.monotonic() > deadline:
                logs = ", ".join(str(self.layout.logs / f"{name}.log") for name in unhealthy)
                problem = f"{', '.join(unhealthy)} did not become healthy in {seconds:.0f} s: see {logs}"
                raise StackError(with_disk(problem, self.layout.root))
            time.sleep(0.2)

    def down(self) -> bool:
        """Stop everything, including remaining processes of a killed supervisor; return whether anything ran."""
        supervisor = self.supervisor()
        if supervisor is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                supervisor.terminate()
            psutil.wait_procs([supervisor], timeout=60)
        return self._clean_up() or supervisor is not None

    def down_for_sure(self) -> bool:
        """Stop everything, and ignore Ctrl-C meanwhile; return whether anything ran."""
        with uninterrupted():
            return self.down()

    def _clean_up(self) -> bool:
        """End remaining processes of this stack without a supervisor, including its pods."""
        mine = [process for process in psutil.process_iter(["cmdline"]) if self._is_mine(process.info["cmdline"] or [])]
        for process in mine:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
        _, left = psutil.wait_procs(mine, timeout=15)
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        if self.layout.token.exists() and any((self.layout.root / "cluster" / "pods").glob("*")):
            subprocess.run(
                [sys.executable, "-m", "local.cluster", "--root", str(self.layout.root / "cluster"), "--stop-pods"],
                cwd=REPO,
                check=False,
                stdout=subprocess.DEVNULL,
            )
        shutil.rmtree(self.layout.run, ignore_errors=True)
        return bool(mine)

    def _is_mine(self, cmdline: list[str]) -> bool:
        """Whether a process is a guard or a supervisor of this stack."""
        text = " ".join(cmdline)
        return ("local.stack.guard" in text and f"{self.layout.run}/" in text) or (
            "local.stack.supervisor" in cmdline and str(self.layout.root) in cmdline
        )

    def run_in_foreground(self, **changes: Any) -> int:
        """Run the stack until Ctrl-C."""
        if self.supervisor() is not None:
            raise StackError(f"the stack in {self.layout.root} is up already: stop it with python -m local down")
        self.configure(**changes)
        process = self._start_supervisor()
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        try:
            self.wait(process)
            self._make_dataset()
            print(f"the stack is up; Airflow's UI is at {self.ui}; Ctrl-C stops it", flush=True)
            process.wait()
        except KeyboardInterrupt:
            print("interrupted: stopping the stack", flush=True)
        finally:
            self.down_for_sure()
        return 0

    def _make_dataset(self) -> None:
        reference = {"projectId": PROJECT, "datasetId": self.state().options.dataset}
        self.bigquery("POST", "datasets", {"datasetReference": reference}, ok=(409,))

    # Queries ----------------------------------------------------------------------------------------------------

    def bigquery(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, ok: tuple[int, ...] = ()
    ) -> dict[str, Any]:
        """Call the warehouse's REST API, below the project.

        Raises:
            StackError: the call failed; the message is BigQuery's.
        """
        port = self.state().ports["warehouse"]
        url = f"http://127.0.0.1:{port}/bigquery/v2/projects/{PROJECT}/{path}"
        try:
            answer = direct_session().request(method, url, json=body, timeout=600)
        except requests.ConnectionError:
            raise StackError("the warehouse does not answer: is the stack up? python -m local status") from None
        if answer.status_code >= 400 and answer.status_code not in ok:
            try:
                message = answer.json()["error"]["message"]
            except (ValueError, KeyError, TypeError):
                message = answer.text
            raise StackError(message)
        result: dict[str, Any] = answer.json() if answer.content else {}
        return result

    def query(self, sql: str) -> list[dict[str, Any]]:
        """Return a query's rows, as dicts by column with Python values.

        Raises:
            StackError: the call failed; the message is BigQuery's.
        """
        from google.api_core.client_options import ClientOptions
        from google.api_core.exceptions import GoogleAPICallError
        from google.auth.credentials import AnonymousCredentials
        from google.auth.transport.requests import AuthorizedSession
        from google.cloud import bigquery

        if self.supervisor() is None:
            raise StackError(DOWN)
        session = AuthorizedSession(AnonymousCredentials())
        session.trust_env = False
        client = bigquery.Client(
            project=PROJECT,
            credentials=AnonymousCredentials(),
            _http=session,
            client_options=ClientOptions(api_endpoint=f"http://127.0.0.1:{self.state().ports['warehouse']}"),
            default_query_job_config=bigquery.QueryJobConfig(
                default_dataset=f"{PROJECT}.{self.state().options.dataset}"
            ),
        )
        try:
            return [dict(row.items()) for row in client.query(sql, job_retry=None).result()]
        except GoogleAPICallError as error:
            messages = [details.get("message") for details in error.errors] + [error.message]
            raise StackError(next(filter(None, messages)).partition("\n\nLocation:")[0]) from None

    def tables(self) -> list[dict[str, Any]]:
        """Return the tables and views of the stack's dataset, by name: `table`, `type` and `rows`, None for a view.

        A table that a task drops meanwhile is left out.

        Raises:
            StackError: the stack is down, or the warehouse does not answer.
        """
        if self.supervisor() is None:
            raise StackError(DOWN)
        dataset = f"datasets/{self.state().options.dataset}/tables"
        listed = self.bigquery("GET", f"{dataset}?maxResults={MOST_TABLES}").get("tables", [])
        names = sorted(table["tableReference"]["tableId"] for table in listed)
        found = [self.bigquery("GET", f"{dataset}/{quote(name, safe='')}", ok=(404,)) for name in names]
        return [
            {"table": name, "type": table["type"], "rows": int(table["numRows"]) if table["type"] == "TABLE" else None}
            for name, table in zip(names, found, strict=True)
            if "error" not in table
        ]

    def rest(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Call Airflow's REST API, below /api/v2. A read request waits for a server that restarts.

        Raises:
            StackError: the call failed; the message is Airflow's.
        """
        reads = method == "GET" or path.endswith("/list")
        deadline = time.monotonic() + (RESTART_SECONDS if reads else 0)
        while True:
            try:
                answer = self._airflow().request(method, f"{self.ui}/api/v2/{path}", json=body, timeout=60)
            except requests.RequestException as error:
                problem = f"Airflow's API server does not answer: {error}"
            else:
                if answer.status_code < 400:
                    result: dict[str, Any] = answer.json() if answer.content else {}
                    return result
                problem = f"Airflow refused {method} {path}: {answer.text}"
                if answer.status_code < 500:
                    raise StackError(problem)
            if time.monotonic() >= deadline:
                raise StackError(problem)
            time.sleep(0.5)

    def _airflow(self) -> requests.Session:
        """A session with a token."""
        if self._session is None:
            session = direct_session()
            token = session.get(f"{self.ui}/auth/token", timeout=60)
            token.raise_for_status()
            session.headers["Authorization"] = f"Bearer {token.json()['access_token']}"
            self._session = session
        return self._session


def direct_session() -> requests.Session:
    """A session without a proxy, for servers on this machine."""
    session = requests.Session()
    session.trust_env = False
    return session


def network_of(lake: str) -> str:
    """Return the passphrase of a folder of ledgers, empty if it has none."""
    with contextlib.suppress(OSError, ValueError):
        config = json.loads((Path(lake) / ".config.json").read_text())
        return str(config.get("networkPassphrase", ""))
    return ""


def archive_beside(lake: str) -> str:
    """Return the history archive in the folder beside a lake, as in the sample network; empty without one."""
    archive = Path(lake).with_name("archive")
    return str(archive) if (archive / ".well-known" / "stellar-history.json").is_file() else ""


def laptop_variables(shipped: Mapping[str, Any], options: Options) -> dict[str, Any]:
    """Return the shipped Variables with the values for a laptop."""
    return {
        **shipped,
        "affinity": {},
        "bq_project": PROJECT,
        "bq_dataset": options.dataset,
        "export_days": EXPORT_DAYS,
        "gcs_exported_data_bucket_name": BUCKET,
        "history_archive_path": archive_beside(options.lake),
        "network_passphrase": network_of(options.lake),
        "schema_filepath": str(REPO / "schemas"),
        "start_delay": {},
        "txmeta_datastore_path": options.lake,
    }
