"""One stack for the tests of this folder: `./run_local.sh` brought the sample network into it, with lineage, and left
it up."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local.recording import RECORD_VARIABLE
from local.stack import Stack
from stellar_etl_airflow.model.tables import TABLES
from tests.google_api import assert_right, read_record
from tests.shared import REPO

EXPORTED = {table.table_id: data_type for data_type, table in TABLES.items()}
"""Data types by table."""


def run_local(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs the README's command, as a user does."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("AIRFLOW", "PYTHON"))}
    return subprocess.run(
        ["./run_local.sh", "--dir", str(folder), *arguments],
        cwd=REPO,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        timeout=840,
        check=False,
    )


@dataclass
class Sample:
    """A stack with the sample network in its tables."""

    stack: Stack
    report: dict[str, Any]
    output: str


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sample]:
    folder = tmp_path_factory.mktemp("sample")
    record = folder / "requests"
    arguments = ("--keep", "--lineage", "--json", str(folder / "report.json"))
    done = run_local(folder, *arguments, **{RECORD_VARIABLE: str(record)})
    stack = Stack(folder)
    try:
        assert done.returncode == 0, done.stdout + done.stderr
        yield Sample(stack, json.loads((folder / "report.json").read_text()), done.stdout)
    finally:
        stack.down()
    assert_right(read_record(record))
