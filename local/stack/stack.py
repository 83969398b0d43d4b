"""A stack as commands and tests use it: started, stopped, asked."""

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

import psutil
import requests

from local.stack.environment import airflow_environment
from local.stack.health import answers
from local.stack.layout import (
    BUCKET,
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
"""How long all services may take to answer: a machine that does much else needs minutes."""
RESTART_SECONDS = 300
"""How long a request that only reads waits for Airflow's API server, which may be starting again."""


class StackError(Exception):
    """The stack can't do what was asked; the message says why, and where to look."""


@dataclass(frozen=True)
class ServiceStatus:
    """How a service is doing.

    Attributes:
        name: what people call it.
        pid: its process, None if it doesn't run.
        port: where it listens, None if it doesn't.
        well: whether it answers, or runs if it has nothing to answer with.
        since: when it started, seconds since 1970.
        restarts: how often it was started again.
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
    """One stack, in a folder of its own."""

    def __init__(self, root: Path) -> None:
        self.layout = StackLayout(root.resolve())
        self._session: requests.Session | None = None

    # What is there ----------------------------------------------------------------------------------------------

    def state(self) -> State:
        """What the stack remembers.

        Raises:
            StackError: there is no stack here.
        """
        state = State.load(self.layout)
        if state is None:
            raise StackError(f"there is no stack in {self.layout.root}: start one with python -m local up")
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
        """The services that the stack is made of."""
        return services(self.layout, self.state(), ensure_secrets(self.layout), os.environ)

    def status(self) -> list[ServiceStatus]:
        """How each service is doing."""
        starts = (_read(self.layout.run / "supervisor.json") or {}).get("starts", {})
        result = []
        for service in self.services():
            noted = _read(self.layout.run / f"{service.name}.json") or {}
            pid = noted.get("pid")
            alive = pid is not None and psutil.pid_exists(pid)
            well = alive and (not service.health or answers(service.health))
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
        """What the stack was started with, or would be."""
        state = State.load(self.layout)
        return state.options if state else Options(lake=str(self.sample_lake))

    @property
    def ui(self) -> str:
        """Where Airflow's UI is."""
        return f"http://127.0.0.1:{self.state().ports['airflow']}"

    def environment(self) -> dict[str, str]:
        """The environment of the stack's Airflow processes."""
        state = self.state()
        return airflow_environment(self.layout, state.ports, state.options, ensure_secrets(self.layout), os.environ)

    # Up and down ------------------------------------------------------------------------------------------------

    def configure(self, **changes: Any) -> bool:
        """Saves the stack's options; gives whether they changed."""
        saved = State.load(self.layout)
        options = replace(self.options, **changes)
        ports = saved.ports if saved and self.supervisor() else free_ports(saved.ports if saved else None)
        changed = saved is None or options != saved.options
        State(ports, options).save(self.layout)
        variables = laptop_variables(json.loads((REPO / "airflow_variables.json").read_text()), options)
        write_private(self.layout.variables, json.dumps(variables, indent=2))
        return changed

    def up(self, **changes: Any) -> bool:
        """Starts the stack, or starts it again if its options change; waits until it is well.

        Args:
            changes: options of `Options`, by name.

        Returns:
            Whether it had to be started.

        Raises:
            StackError: it does not get well.
        """
        changed = self.configure(**changes)
        if self.supervisor() is not None:
            if not changed:
                self.wait()
                return False
            self.down()
        self.layout.logs.mkdir(parents=True, exist_ok=True)
        with (self.layout.logs / "supervisor.log").open("ab") as log:
            process = self._start_supervisor(log)
        self.wait(process)
        self._make_dataset()
        return True

    def _start_supervisor(self, log: IO[bytes] | None = None) -> subprocess.Popen[bytes]:
        """Start the supervisor, after the end of what an earlier one left; it logs to a file, or to this terminal."""
        ensure_secrets(self.layout)
        self._clean_up()
        return subprocess.Popen(
            [sys.executable, "-m", "local.stack.supervisor", str(self.layout.root)],
            cwd=REPO,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

    def wait(self, process: subprocess.Popen[bytes] | None = None, seconds: float = START_SECONDS) -> None:
        """Waits until every service is well.

        Raises:
            StackError: naming what isn't, and its log.
        """
        deadline = time.monotonic() + seconds
        while True:
            unwell = [status.name for status in self.status() if not status.well]
            if not unwell:
                return
            if process is not None and process.poll() is not None:
                raise StackError(f"the stack did not start: see {self.layout.logs / 'prepare.log'}")
            if time.monotonic() > deadline:
                logs = ", ".join(str(self.layout.logs / f"{name}.log") for name in unwell)
                raise StackError(f"{', '.join(unwell)} did not get well in {seconds:.0f} s: see {logs}")
            time.sleep(0.2)

    def down(self) -> bool:
        """Stops everything, and cleans up what a killed supervisor left; gives whether anything ran."""
        supervisor = self.supervisor()
        if supervisor is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                supervisor.terminate()
            psutil.wait_procs([supervisor], timeout=60)
        return self._clean_up() or supervisor is not None

    def _clean_up(self) -> bool:
        """Ends what still runs of this stack without a supervisor, its pods too."""
        mine = [process for process in psutil.process_iter(["cmdline"]) if self._is_mine(process.info["cmdline"] or [])]
        for process in mine:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
        _, left = psutil.wait_procs(mine, timeout=15)
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        if self.layout.token.exists() and (self.layout.root / "cluster").is_dir():
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

    def run_in_foreground(self, **changes: str) -> int:
        """Runs the stack until Ctrl-C."""
        self.configure(**changes)
        if self.supervisor() is not None:
            raise StackError(f"the stack in {self.layout.root} is up already: stop it with python -m local down")
        process = self._start_supervisor()
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        try:
            self.wait(process)
            self._make_dataset()
            print(f"the stack is up; Airflow's UI is at {self.ui}; Ctrl-C stops it", flush=True)
            process.wait()
        except KeyboardInterrupt:
            pass
        finally:
            self.down()
        return 0

    def _make_dataset(self) -> None:
        reference = {"projectId": PROJECT, "datasetId": self.state().options.dataset}
        self.bigquery("POST", "datasets", {"datasetReference": reference}, ok=(409,))

    # Asking -----------------------------------------------------------------------------------------------------

    def bigquery(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, ok: tuple[int, ...] = ()
    ) -> dict[str, Any]:
        """One call of the warehouse's REST API, below the project.

        Raises:
            StackError: with BigQuery's message.
        """
        port = self.state().ports["warehouse"]
        url = f"http://127.0.0.1:{port}/bigquery/v2/projects/{PROJECT}/{path}"
        try:
            answer = requests.request(method, url, json=body, timeout=600)
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
        """A query's rows, as dicts by column; values as Python has them.

        Raises:
            StackError: with BigQuery's message.
        """
        from google.api_core.client_options import ClientOptions
        from google.api_core.exceptions import GoogleAPICallError
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import bigquery

        if self.supervisor() is None:
            raise StackError("the stack is down: start it with python -m local up")
        client = bigquery.Client(
            project=PROJECT,
            credentials=AnonymousCredentials(),
            client_options=ClientOptions(api_endpoint=f"http://127.0.0.1:{self.state().ports['warehouse']}"),
            default_query_job_config=bigquery.QueryJobConfig(
                default_dataset=f"{PROJECT}.{self.state().options.dataset}"
            ),
        )
        try:
            return [dict(row.items()) for row in client.query(sql, job_retry=None).result()]
        except GoogleAPICallError as error:
            said = [details.get("message") for details in error.errors] + [error.message]
            raise StackError(next(filter(None, said)).partition("\n\nLocation:")[0]) from None

    def rest(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """One call of Airflow's REST API, below /api/v2. One that only reads waits for a server that starts again.

        Raises:
            StackError: with Airflow's message.
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
            session = requests.Session()
            token = session.get(f"{self.ui}/auth/token", timeout=60)
            token.raise_for_status()
            session.headers["Authorization"] = f"Bearer {token.json()['access_token']}"
            self._session = session
        return self._session


def network_of(lake: str) -> str:
    """The passphrase that a folder of ledgers names, empty if it names none."""
    with contextlib.suppress(OSError, ValueError):
        config = json.loads((Path(lake) / ".config.json").read_text())
        return str(config.get("networkPassphrase", ""))
    return ""


def archive_beside(lake: str) -> str:
    """The history archive in the folder beside a lake, as the sample network has it; empty if there is none."""
    archive = Path(lake).with_name("archive")
    return str(archive) if (archive / ".well-known" / "stellar-history.json").is_file() else ""


def laptop_variables(shipped: Mapping[str, Any], options: Options) -> dict[str, Any]:
    """The shipped Variables with what differs on a laptop."""
    return {
        **shipped,
        "affinity": {},
        "bq_project": PROJECT,
        "bq_dataset": options.dataset,
        "gcs_exported_data_bucket_name": BUCKET,
        "history_archive_path": archive_beside(options.lake),
        "network_passphrase": network_of(options.lake),
        "schema_filepath": str(REPO / "schemas"),
        "start_delay": {},
        "txmeta_datastore_path": options.lake,
    }
