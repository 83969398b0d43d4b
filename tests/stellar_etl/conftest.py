"""A small sample lake for the tests of this folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.shared import REPO

FIRST, LAST = 3, 42


@pytest.fixture(scope="session")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ledgers 3 to 42 of the sample network; 3 closed at 2026-01-01T00:00:00Z, then one each five seconds."""
    folder = tmp_path_factory.mktemp("lake") / "sample"
    subprocess.run(
        [
            *(sys.executable, "-m", "local.sample_network", "--out", str(folder)),
            *("--ledgers", "40", "--transactions-per-ledger", "4"),
        ],
        cwd=REPO,
        check=True,
        capture_output=True,
    )
    return folder
