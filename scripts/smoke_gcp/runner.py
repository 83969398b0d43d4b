"""Airflow and the pods on this machine: `airflow dags test` runs DAGs, the local cluster runs pods as processes."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from local.stack.environment import airflow_environment, base_environment, bin_folder
from local.stack.health import answers
from local.stack.layout import REPO, StackLayout, State, ensure_secrets, free_ports, write_private
from local.stack.layout import Options as StackOptions
from local.stack.services import Service, preparation, services
from scripts.smoke_gcp.cloud import export_days
from scripts.smoke_gcp.options import EMULATORS, Options, SmokeError, uses_stand_ins
from stellar_etl_airflow.settings.environments import read_variables

SERVICES = ("database", "cluster")
START_SECONDS = 120
STOP_SECONDS = 30
FIRST_DATE = datetime(2026, 1, 1, tzinfo=UTC)
CREDENTIALS = ("GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_CONFIG", "HOME")
"""The variables with credentials for Google's libraries, here and in pods."""
LOG_LINES = 25
"""The number of last log lines in an error."""


@dataclass(frozen=True)
class DagRun:
    """One run of a DAG by `airflow dags test`.

    Attributes:
        dag_id: The DAG.
        conf: The run's params.
        variables: Airflow Variables that differ from those of the other runs.
        approves: The tasks that wait for an approval, which the command gives.
        environment: Additional environment variables of the run.
    """

    dag_id: str
    conf: Mapping[str, Any]
    variables: Mapping[str, Any] = field(default_factory=dict)
    approves: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)


class Runner:
    """A local Airflow without a scheduler, its database, and a cluster with processes as pods."""

    def __init__(self, options: Options, lake: Path, passphrase: str) -> None:
        self.options = options
        self.layout = StackLayout(options.folder / "airflow")
        self._state = State(free_ports(), StackOptions(lake=str(lake), dataset=options.dataset))
        self._keys = ensure_secrets(self.layout)
        self._variables = self._all_variables(lake, passphrase)
        self._guards: list[subprocess.Popen[bytes]] = []
        self._running: list[subprocess.Popen[bytes]] = []
        self._count = 0

    # Set-up -----------------------------------------------------------------------------------------------------

    def _all_variables(self, lake: Path, passphrase: str) -> dict[str, Any]:
        """The shipped Variables with the values for this machine."""
        return {
            **read_variables(REPO / "airflow_variables.json"),
            "affinity": {},
            "bq_project": self.options.project,
            "bq_dataset": self.options.dataset,
            "gcs_exported_data_bucket_name": self.options.bucket,
            "export_days": export_days(self.options),
            "network_passphrase": passphrase,
            "price_per_tib": self.options.price_per_tib,
            "schema_filepath": str(REPO / "schemas"),
            "start_delay": {},
            "txmeta_datastore_path": str(lake),
        }

    def _google(self) -> dict[str, str]:
        """The environment with services and credentials for Google's libraries."""
        names = EMULATORS if uses_stand_ins() else CREDENTIALS
        found = {name: os.environ[name] for name in names if os.environ.get(name)}
        return {**found, "GOOGLE_CLOUD_PROJECT": self.options.project}

    def environment(self, variables: Mapping[str, Any] | None = None) -> dict[str, str]:
        """The environment of Airflow's programs."""
        inherited = airflow_environment(self.layout, self._state.ports, self._state.options, self._keys, os.environ)
        for name in EMULATORS:  # the laptop's services, which do not run here
            del inherited[name]
        extra = {"project": self.options.project, "is_anonymous": uses_stand_ins()}
        connection = {"conn_type": "google_cloud_platform", "extra": extra}
        return {
            **inherited,
            **self._google(),
            "AIRFLOW_CONN_GOOGLE_CLOUD_PLATFORM_CONNECTION": json.dumps(connection),
            "STELLAR_ETL_DEADLINE_SECONDS": "0",
            **{
                f"AIRFLOW_VAR_{key.upper()}": value if isinstance(value, str) else json.dumps(value)
                for key, value in (variables or {}).items()
            },
        }

    def start(self) -> None:
        """Start the database and the cluster, and create Airflow's tables, Variables and pools.

        Raises:
            SmokeError: One of them does not start; the message names its log.
        """
        for folder in (self.layout.logs, self.layout.run, self.layout.airflow_home):
            folder.mkdir(parents=True, exist_ok=True)
        write_private(self.layout.variables, json.dumps(self._variables, indent=2))
        pods = {"*stellar-etl*": {"path": [bin_folder()], "env": self._google()}}
        write_private(self.layout.images, json.dumps(pods))
        known = services(self.layout, self._state, self._keys, os.environ)
        for service in known:
            if service.name in SERVICES:
                self._start(service)
        self._finish(self._begin(preparation(self.layout), self.environment(), "prepare"), "prepare")

    def _start(self, service: Service) -> None:
        log = self.layout.logs / f"{service.name}.log"
        argv = [sys.executable, "-m", "local.stack.guard", str(self.layout.run / f"{service.name}.json")]
        with log.open("ab") as output:
            guard = subprocess.Popen(
                [*argv, f"--stop={service.stop:d}", "--", *service.argv],
                env=dict(service.env) | base_environment(os.environ),
                cwd=self.layout.root,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._guards.append(guard)
        deadline = time.monotonic() + START_SECONDS
        while not answers(service.health):
            if guard.poll() is not None or time.monotonic() > deadline:
                raise SmokeError(f"the {service.name} did not start: see {log}")
            time.sleep(0.2)

    def stop(self) -> None:
        """End all processes; the guards end the pods."""
        for process in (*self._running, *self._guards):
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        for process in (*self._running, *self._guards):
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()

    # Runs -------------------------------------------------------------------------------------------------------

    def run(self, *runs: DagRun) -> None:
        """Run DAGs at the same time, each in a separate process, and wait for all of them.

        Raises:
            SmokeError: A run failed; the message has the end of its log.
        """
        begun = [(run, *self._dags_test(run)) for run in runs]
        problems = []
        for run, process, name in begun:
            try:
                self._finish(process, name)
            except SmokeError as error:
                problems.append(f"{run.dag_id} {json.dumps(dict(run.conf))}: {error}")
        if problems:
            raise SmokeError("\n".join(problems))

    def _dags_test(self, run: DagRun) -> tuple[subprocess.Popen[bytes], str]:
        self._count += 1
        date = FIRST_DATE + timedelta(minutes=10 * self._count)  # a run is identified by its date
        argv = [
            f"{bin_folder()}/airflow",
            "dags",
            "test",
            run.dag_id,
            date.isoformat(),
            "--conf",
            json.dumps(dict(run.conf)),
        ]
        if run.approves:
            argv += ["--mark-success-pattern", run.approves]
        name = f"{self._count:02}-{run.dag_id}"
        return self._begin(argv, {**self.environment(run.variables), **run.environment}, name), name

    def _begin(self, argv: Sequence[str], environment: Mapping[str, str], name: str) -> subprocess.Popen[bytes]:
        with (self.layout.logs / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                argv,
                env=dict(environment),
                cwd=self.layout.root,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # this program handles a terminal's Ctrl-C
            )
        self._running.append(process)
        return process

    def _finish(self, process: subprocess.Popen[bytes], name: str) -> None:
        status = process.wait()
        self._running.remove(process)
        if status:
            log = self.layout.logs / f"{name}.log"
            lines = log.read_text(errors="replace").splitlines()[-LOG_LINES:]
            raise SmokeError("\n".join([f"ended with status {status}; the end of {log}:", *lines]))


@contextlib.contextmanager
def running(options: Options, lake: Path, passphrase: str) -> Iterator[Runner]:
    """Start a runner, and stop it at the end; its folder is kept after an error."""
    runner = Runner(options, lake, passphrase)
    try:
        runner.start()
        yield runner
    finally:
        runner.stop()
    shutil.rmtree(options.folder, ignore_errors=True)
