"""One stack for the tests of this folder.

`./run_local.sh` loads the sample network into it, with lineage, and keeps it running. It starts beside other tests, and
stops after the last test that uses it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local.recording import RECORD_VARIABLE
from local.stack import Stack
from stellar_etl_airflow.model.tables import TABLES
from tests.end_to_end.airflow_shell import AirflowShell
from tests.google_api import assert_right, methods_of, read_record
from tests.schedule import READY_FILE, runs_shared_tests
from tests.shared import REPO

EXPORTED = {table.table_id: data_type for data_type, table in TABLES.items()}
"""Data types by table."""
HALF_HOUR = 30
"""The minutes of the sample network's ledgers that the main job loads."""


def command(folder: Path, *arguments: str, **environment: str) -> dict[str, Any]:
    """Return the README's command as a user runs it: the arguments of `subprocess`."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("AIRFLOW", "PYTHON"))}
    argv = ["./run_local.sh", "--dir", str(folder), *arguments]
    return {"args": argv, "cwd": REPO, "env": {**inherited, **environment}, "text": True}


def run_local(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the README's command to its end."""
    return subprocess.run(**command(folder, *arguments), capture_output=True, check=False)


@dataclass
class Sample:
    """A stack with the sample network in its tables.

    Attributes:
        stack: the stack.
        report: the main job's report.
        output: what it printed.
        intervals: its runs per DAG.
        unpaused: the DAGs that are not paused after it.
    """

    stack: Stack
    report: dict[str, Any]
    output: str
    intervals: int
    unpaused: frozenset[str]

    @property
    def minutes(self) -> int:
        """The length of an interval."""
        return HALF_HOUR // self.intervals


class SampleJob:
    """The main job over the sample network, in a folder with a space. It runs in the background."""

    def __init__(self, folder: Path, intervals: int) -> None:
        self.stack, self.intervals = Stack(folder), intervals
        self._down: subprocess.Popen[bytes] | None = None
        self._report, self._output, self._errors = (folder / f"job.{name}" for name in ("json", "out", "err"))
        self.record = folder / "requests"
        options = ("--keep", "--lineage", "--interval", str(HALF_HOUR // intervals), "--json", str(self._report))
        # No request of the stack may use a proxy: this one does not answer.
        proxies = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
        arguments = command(folder, *options, **proxies, **{RECORD_VARIABLE: str(self.record)})
        with self._output.open("w") as output, self._errors.open("w") as errors:
            self._process = subprocess.Popen(**arguments, stdout=output, stderr=errors, start_new_session=True)
        threading.Thread(target=self._note_end, daemon=True).start()

    def _note_end(self) -> None:
        self._process.wait()
        Path(os.environ[READY_FILE]).touch()

    def wait(self) -> Sample:
        """Wait for the end of the job; return its stack.

        Raises:
            AssertionError: the job failed; the message has its output.
        """
        status = self._process.wait()
        output = self._output.read_text()
        assert status == 0, output + self._errors.read_text()
        dags = self.stack.rest("GET", "dags?limit=1000")["dags"]
        unpaused = frozenset(dag["dag_id"] for dag in dags if not dag["is_paused"])
        return Sample(self.stack, json.loads(self._report.read_text()), output, self.intervals, unpaused)

    def begin_to_stop(self) -> None:
        """Begin to stop the job, if it still runs, and the stack."""
        self._process.terminate()
        self._process.wait()
        if self._down is None:
            argv = [sys.executable, "-m", "local", "down", "--dir", str(self.stack.layout.root)]
            self._down = subprocess.Popen(argv, cwd=REPO, stdout=subprocess.DEVNULL)

    def stop(self) -> None:
        """Stop the job, if it still runs, and the stack."""
        self.begin_to_stop()
        assert self._down is not None
        self._down.wait()


JOB: pytest.StashKey[SampleJob] = pytest.StashKey()
USERS: pytest.StashKey[set[str]] = pytest.StashKey()
"""The tests that use the shared stack and have not run yet."""


def begin(config: pytest.Config) -> SampleJob:
    """Start the main job once per session; its stack ends with the session in any case."""
    if JOB not in config.stash:
        factory: pytest.TempPathFactory = config._tmp_path_factory  # type: ignore[attr-defined]
        # A run has 83 tasks. The tests load some of its ledgers again, in further runs; with --all two are consecutive.
        intervals = 2 if config.getoption("--all") else 1
        config.stash[JOB] = job = SampleJob(factory.mktemp("a sample"), intervals)
        config.add_cleanup(job.stop)
    return config.stash[JOB]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start the stack now if this process has tests for it."""
    config = session.config
    config.stash[USERS] = users = {
        item.nodeid
        for item in session.items
        if "sample" in getattr(item, "fixturenames", ()) and not item.get_closest_marker("skip")
    }
    if users and runs_shared_tests() and not config.option.collectonly:
        begin(config)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Stop the stack after the last test that uses it, because an idle stack uses processor time."""
    result = yield
    users = item.config.stash[USERS]
    users.discard(item.nodeid)
    if not users and JOB in item.config.stash:
        item.config.stash[JOB].begin_to_stop()
    return result


@pytest.fixture(scope="session")
def airflow(sample: Sample, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowShell]:
    """`python -m local airflow` of the shared stack."""
    shell = AirflowShell(sample.stack, tmp_path_factory.mktemp("airflow"))
    try:
        shell.wait()
        yield shell
    finally:
        shell.close()


@pytest.fixture(scope="session")
def sample(request: pytest.FixtureRequest) -> Iterator[Sample]:
    """Return the shared stack when the main job is done. At the end all requests to Google's APIs must be valid."""
    job = begin(request.config)
    yield job.wait()
    job.stop()
    recorded = read_record(job.record)
    assert methods_of(recorded)["bigquery.jobs.insert"], f"the stand-ins recorded no job in {job.record}"
    assert_right(recorded)
