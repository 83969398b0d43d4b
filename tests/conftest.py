"""What all tests share: an Airflow home of their own, no Variable, connection or emulator of the developer's, and a
small sample lake."""

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
from xdist.scheduler import LoadScopeScheduling

from tests.summary import Summary

STACK_TESTS = "tests/end_to_end/"
OWN_STACKS = (
    "tests/faults/",
    "tests/end_to_end/test_interrupted.py",
    "tests/end_to_end/test_mainnet.py",
    "tests/end_to_end/test_secrets_backend.py",
    "tests/local/stack/test_stack.py",
)
"""Tests that start stacks of their own; the others of `STACK_TESTS` share one."""

# A shell's background job ignores Ctrl-C, and so would the programs that tests start from one.
signal.signal(signal.SIGINT, signal.default_int_handler)
# These tests start hundreds of Python processes. Each one would compile all modules that it imports (Airflow and the
# Google clients: 15 s) and discard the result.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# Before anything imports Airflow: it reads these once.
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="airflow-home-")
atexit.register(shutil.rmtree, os.environ["AIRFLOW_HOME"], ignore_errors=True)
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "False"
for name in set(os.environ) - {"STELLAR_ETL_SCREENSHOTS"}:
    if name.startswith(("AIRFLOW_CONN_", "AIRFLOW_VAR_", "AIRFLOW__SECRETS__", "STELLAR_ETL_")) or name in (
        "BIGQUERY_EMULATOR_HOST",
        "STORAGE_EMULATOR_HOST",
        "KUBECONFIG",
    ):
        del os.environ[name]

# How long an example takes says more about the machine's other work than about the code.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="run the slow tests too that are left out otherwise")
    parser.addoption(
        "--faults",
        choices=("quick", "all"),
        default="quick",
        help="how many faults tests/faults makes: a handful (default), or all, which takes up to an hour",
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


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The tests that start a stack come first: they take longest, and those that share one longest of all."""
    items.sort(key=lambda item: (not shares_stack(item.nodeid), not item.nodeid.startswith(OWN_STACKS)))
    for item in items:
        if item.get_closest_marker("slow") and not config.getoption("--all"):
            item.add_marker(pytest.mark.skip(reason="slow: ./run_tests.sh --all runs it"))


def shares_stack(nodeid: str) -> bool:
    """Whether a test is one of those that share a stack."""
    return nodeid.startswith(STACK_TESTS) and not nodeid.startswith(OWN_STACKS)


class ByFile(LoadScopeScheduling):  # type: ignore[misc]
    """One worker has the tests that share a stack; the other files go to whoever is free."""

    def _split_scope(self, nodeid: str) -> str:
        return STACK_TESTS if shares_stack(nodeid) else nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    """How tests are dealt out to the two workers."""
    return ByFile(config, log)


@pytest.fixture(scope="session")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ledgers 3 to 42 of the sample network; 3 closed at 2026-01-01T00:00:00Z, then one each five seconds."""
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
