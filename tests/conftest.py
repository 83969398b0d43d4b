"""Common setup of all tests: a separate Airflow home, and a small sample lake.

The developer's Variables, connections and emulators are not used.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.schedule import READY_FILE, Lanes, Stack
from tests.summary import Summary

# A shell's background job ignores Ctrl-C, and programs that tests start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
# These tests start hundreds of Python processes. Each process would compile all imported modules (Airflow and the
# Google clients: 15 s) and discard the result.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# Set before the first import of Airflow, which reads these once.
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="airflow-home-")
atexit.register(shutil.rmtree, os.environ["AIRFLOW_HOME"], ignore_errors=True)
os.environ.setdefault(READY_FILE, str(Path(os.environ["AIRFLOW_HOME"]) / "stack-is-ready"))  # workers inherit it
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "False"
for name in set(os.environ) - {"STELLAR_ETL_SCREENSHOTS"}:
    if name.startswith(("AIRFLOW_CONN_", "AIRFLOW_VAR_", "AIRFLOW__SECRETS__", "STELLAR_ETL_")) or name in (
        "BIGQUERY_EMULATOR_HOST",
        "STORAGE_EMULATOR_HOST",
        "KUBECONFIG",
    ):
        del os.environ[name]

# The duration of an example depends more on the machine's load than on the code.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")

SERVER_FIXTURES = frozenset(
    {
        *("airflow_server", "bucket", "cluster", "warehouse_server"),
        *("browser", "page_server", "sample", "server", "stack", "stage", "stand_ins"),
    }
)
"""The fixtures that start servers. Tests with one of them are left out by `make test-fast`."""

END_TO_END_SECONDS = 3600
"""The time limit of a test on a stack, including the wait for the stack: only a hang exceeds it."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="run the slow tests too that are left out otherwise")
    parser.addoption(
        "--faults",
        choices=("quick", "all"),
        default="quick",
        help="the faults of tests/faults: quick ones, which need --all (default), or all, which take up to an hour",
    )
    parser.addoption(
        "--kubeconfig", metavar="FILE", help="the cluster of tests/any_cluster (default: the laptop's own)"
    )
    parser.addoption("--pod-image", default="busybox:stable", metavar="NAME", help="an image with sh, for --kubeconfig")
    parser.addoption(
        "--pod-namespace", default="default", metavar="NAME", help="where tests/any_cluster makes its pods"
    )


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Summary())


@pytest.hookimpl(tryfirst=True)  # before -m selects tests by their markers
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the tests that need a stack last, mark those with servers, and skip slow ones unless they are requested."""
    items.sort(key=lambda item: Stack.of(item.nodeid).value)
    for item in items:
        if SERVER_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker("servers")
        if item.get_closest_marker("slow") and not config.getoption("--all"):
            item.add_marker(pytest.mark.skip(reason="slow: ./run_tests.sh --all runs it"))
        if item.get_closest_marker("end_to_end"):
            item.add_marker(pytest.mark.timeout(END_TO_END_SECONDS))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Lanes:
    """Return the scheduler that distributes tests to the workers."""
    return Lanes(config, log)


@pytest.fixture(scope="session")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ledgers 3 to 42 of the sample network; 3 closed at 2026-01-01T00:00:00Z, then one every five seconds."""
    folder = tmp_path_factory.mktemp("lake") / "sample"
    subprocess.run(
        [
            *(sys.executable, "-m", "local.sample_network", "--out", str(folder)),
            *("--ledgers", "40", "--transactions-per-ledger", "4"),
        ],
        cwd=Path(__file__).resolve().parent.parent,
        check=True,
        capture_output=True,
    )
    return folder
