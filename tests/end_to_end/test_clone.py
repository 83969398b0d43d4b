"""The main job for a new user: from a fresh copy of the repository, in a folder whose name has a space."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.local.stack.processes import assert_nothing_is_left
from tests.shared import REPO

pytestmark = [pytest.mark.end_to_end, pytest.mark.slow]


def copy_of_repository(target: Path) -> Path:
    """Copy the files that git lists, in their current state."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPO, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if (source := REPO / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)
    return target


def test_the_main_job_runs_in_a_path_with_a_space(tmp_path: Path) -> None:
    clone = copy_of_repository(tmp_path / "my clone")
    report = clone / "the report.json"
    inherited = {
        key: value for key, value in os.environ.items() if not key.startswith(("AIRFLOW", "PYTHON", "VIRTUAL"))
    }
    done = subprocess.run(
        ["./run_local.sh", "--json", report.name], cwd=clone, env=inherited, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(report.read_text())["ok"]
    assert_nothing_is_left(clone)
